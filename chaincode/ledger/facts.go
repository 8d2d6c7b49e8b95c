package ledger

import (
	"healthtrust/chaincode/national"
	"healthtrust/chaincode/words"
)

// facts is what never changes once the alliance is founded.
type facts struct {
	LedgerID  words.Word `json:"ledgerId"`
	Name      string     `json:"name"`
	Chaincode string     `json:"chaincode"`
	channel   string
}

func factsKey() string { return key(alliance, "facts") }

// ContractWord is what stands for a contract in the domain of signed messages (core.messages.fabric_contract).
func ContractWord(channel, chaincode, contract string) words.Word {
	return national.Hash([]byte(channel), []byte{0}, []byte(chaincode+"."+contract))
}

func (f *frame) contractWord(contract string) words.Word {
	return ContractWord(f.facts.channel, f.facts.Chaincode, contract)
}

// addressOf is a contract's address, where the interfaces say address: the last 20 bytes of its word.
func (f *frame) addressOf(contract string) words.Address { return f.contractWord(contract).Address() }

// contractAt is the contract with this address, or none.
func (f *frame) contractAt(target words.Address) (string, bool) {
	for _, name := range contracts {
		if f.addressOf(name) == target {
			return name, true
		}
	}
	return "", false
}

// domain ties a message to this ledger and one contract, docs/formats.md §4.
func (f *frame) domain(contract string) words.Word {
	return Domain(f.facts.LedgerID, f.contractWord(contract))
}

// Domain is SM3(kind ‖ ledger id ‖ contract word).
func Domain(ledgerID, contract words.Word) words.Word {
	return national.Hash(kindDomain[:], ledgerID[:], contract[:])
}

func ledgerID(name string, salt words.Word) words.Word {
	return national.Hash([]byte("healthtrust/ledger/v1\x00"), []byte(name), salt[:])
}
