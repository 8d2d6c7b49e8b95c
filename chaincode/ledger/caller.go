package ledger

import (
	"crypto/x509"
	"encoding/pem"
	"errors"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"

	"healthtrust/chaincode/national"
	"healthtrust/chaincode/words"
)

// caller is who signed the proposal: the account that the contracts know, and the MSP that vouches for the certificate.
type caller struct {
	account words.Address
	msp     string
}

// callerOf reads the creator of a proposal.
func callerOf(stub shim.ChaincodeStubInterface) (caller, error) {
	data, err := stub.GetCreator()
	if err != nil {
		return caller{}, err
	}
	identity := &msp.SerializedIdentity{}
	if err := proto.Unmarshal(data, identity); err != nil {
		return caller{}, err
	}
	block, _ := pem.Decode(identity.GetIdBytes())
	if block == nil {
		return caller{}, errors.New("the creator shows no certificate")
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return caller{}, err
	}
	return caller{AccountOf(identity.GetMspid(), certificate.RawSubjectPublicKeyInfo), identity.GetMspid()}, nil
}

// AccountOf is the account of a key: the last 20 bytes of SM3(MSP id ‖ 0x00 ‖ SubjectPublicKeyInfo). A new certificate for the
// same key keeps it.
func AccountOf(mspID string, publicKeyInfo []byte) words.Address {
	return national.Hash([]byte(mspID), []byte{0}, publicKeyInfo).Address()
}

// calledName is the chaincode the proposal was made to, so the name under which this ledger lives.
func calledName(stub shim.ChaincodeStubInterface) (string, error) {
	signed, err := stub.GetSignedProposal()
	if err != nil {
		return "", err
	}
	proposal, header, channel := &peer.Proposal{}, &common.Header{}, &common.ChannelHeader{}
	extension := &peer.ChaincodeHeaderExtension{}
	err = errors.Join(
		proto.Unmarshal(signed.GetProposalBytes(), proposal),
		proto.Unmarshal(proposal.GetHeader(), header),
		proto.Unmarshal(header.GetChannelHeader(), channel),
		proto.Unmarshal(channel.GetExtension(), extension),
	)
	if err != nil {
		return "", err
	}
	return extension.GetChaincodeId().GetName(), nil
}
