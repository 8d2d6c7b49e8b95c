package ledger

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"healthtrust/chaincode/words"
)

// peerDouble stands for a peer and one channel: it keeps committed state and key-level rules. Like a real one it answers reads from
// the state before the transaction.
type peerDouble struct {
	channel string
	state   map[string][]byte
	rules   map[string][]byte
}

func newPeer() *peerDouble {
	return &peerDouble{"health", map[string][]byte{}, map[string][]byte{}}
}

// stubDouble is one proposal as the chaincode sees it. What it does not have panics: the chaincode must not use it.
type stubDouble struct {
	shim.ChaincodeStubInterface
	peer      *peerDouble
	args      [][]byte
	creator   []byte
	chaincode string
	transient map[string][]byte
	time      time.Time
	writes    map[string][]byte
	rules     map[string][]byte
	trips     int
	batch     bool
	events    []byte
	failRead  error
}

func (p *peerDouble) proposal(by *account, at time.Time, args ...[]byte) *stubDouble {
	return &stubDouble{
		peer: p, args: args, creator: by.creator, chaincode: "healthtrust", time: at,
		writes: map[string][]byte{}, rules: map[string][]byte{},
	}
}

// commit does what the ordered transaction would.
func (s *stubDouble) commit() {
	for k, v := range s.writes {
		s.peer.state[k] = v
	}
	for k, v := range s.rules {
		s.peer.rules[k] = v
	}
}

func (s *stubDouble) GetArgs() [][]byte                        { return s.args }
func (s *stubDouble) GetChannelID() string                     { return s.peer.channel }
func (s *stubDouble) GetCreator() ([]byte, error)              { return s.creator, nil }
func (s *stubDouble) GetTransient() (map[string][]byte, error) { return s.transient, nil }
func (s *stubDouble) GetTxTimestamp() (*timestamppb.Timestamp, error) {
	return timestamppb.New(s.time), nil
}

func (s *stubDouble) GetState(key string) ([]byte, error) {
	s.trips++
	return s.peer.state[key], s.failRead
}

func (s *stubDouble) GetMultipleStates(keys ...string) ([][]byte, error) {
	s.trips++
	values := make([][]byte, len(keys))
	for i, key := range keys {
		values[i] = s.peer.state[key]
	}
	return values, s.failRead
}

func (s *stubDouble) StartWriteBatch() { s.batch = true }

func (s *stubDouble) FinishWriteBatch() error {
	s.batch = false
	return nil
}

func (s *stubDouble) PutState(key string, value []byte) error {
	if len(value) == 0 || !s.batch {
		return errors.New("an empty value, or outside of the batch")
	}
	s.writes[key] = bytes.Clone(value)
	return nil
}

func (s *stubDouble) SetStateValidationParameter(key string, rule []byte) error {
	s.rules[key] = rule
	return nil
}

func (s *stubDouble) SetEvent(name string, payload []byte) error {
	if name != eventName {
		return errors.New("another event name")
	}
	s.events = payload
	return nil
}

func (s *stubDouble) GetSignedProposal() (*peer.SignedProposal, error) {
	return &peer.SignedProposal{ProposalBytes: proposalBytes(s.chaincode)}, nil
}

func proposalBytes(chaincode string) []byte {
	extension := marshalled(&peer.ChaincodeHeaderExtension{ChaincodeId: &peer.ChaincodeID{Name: chaincode}})
	channel := marshalled(&common.ChannelHeader{Extension: extension})
	return marshalled(&peer.Proposal{Header: marshalled(&common.Header{ChannelHeader: channel})})
}

func marshalled(m proto.Message) []byte {
	data, err := proto.Marshal(m)
	if err != nil {
		panic(err)
	}
	return data
}

// account is a client's certificate and what the ledger calls it.
type account struct {
	msp     string
	key     *ecdsa.PrivateKey
	creator []byte
	address words.Address
}

func newAccount(t testing.TB, mspID string) *account {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return certified(t, mspID, key)
}

// certified is the account of a key under a fresh certificate.
func certified(t testing.TB, mspID string, key *ecdsa.PrivateKey) *account {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: "client"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	info, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	id := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return &account{mspID, key, marshalled(&msp.SerializedIdentity{Mspid: mspID, IdBytes: id}), AccountOf(mspID, info)}
}
