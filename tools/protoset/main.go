// Command protoset writes the descriptors of the Fabric messages and services that gateway/ledger/fabric speaks, as embedded in
// fabric-protos-go-apiv2, as one FileDescriptorSet with every file after those it imports. No .proto file is needed.
//
//	cd tools/protoset && go run -mod=readonly . ../../gateway/ledger/fabric/fabric.protoset
package main

import (
	"log"
	"os"
	"sort"

	_ "github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	_ "github.com/hyperledger/fabric-protos-go-apiv2/msp"
	_ "github.com/hyperledger/fabric-protos-go-apiv2/peer"
	_ "github.com/hyperledger/fabric-protos-go-apiv2/peer/lifecycle"
	_ "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// roots are the files spoken to directly; what they import comes along.
var roots = []string{
	"common/configtx.proto", "common/ledger.proto", "gateway/gateway.proto", "google/rpc/status.proto",
	"msp/identities.proto", "msp/msp_config.proto", "orderer/ab.proto", "orderer/configuration.proto", "peer/chaincode_event.proto",
	"peer/events.proto", "peer/lifecycle/lifecycle.proto", "peer/policy.proto", "peer/transaction.proto",
}

func main() {
	set, seen := &descriptorpb.FileDescriptorSet{}, map[string]bool{}
	var add func(protoreflect.FileDescriptor)
	add = func(file protoreflect.FileDescriptor) {
		if seen[file.Path()] {
			return
		}
		seen[file.Path()] = true
		for i := range file.Imports().Len() {
			add(file.Imports().Get(i).FileDescriptor)
		}
		set.File = append(set.File, protodesc.ToFileDescriptorProto(file))
	}
	sort.Strings(roots)
	for _, path := range roots {
		file, err := protoregistry.GlobalFiles.FindFileByPath(path)
		if err != nil {
			log.Fatalf("%s: %v", path, err)
		}
		add(file)
	}
	bytes, err := proto.MarshalOptions{Deterministic: true}.Marshal(set)
	if err == nil {
		err = os.WriteFile(os.Args[1], bytes, 0o644)
	}
	if err != nil {
		log.Fatal(err)
	}
}
