package main

import (
	"context"
	"errors"
	"time"

	rpcclient "github.com/cometbft/cometbft/rpc/client"
	cmttypes "github.com/cometbft/cometbft/types"
	evmtypes "github.com/cosmos/evm/x/vm/types"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
)

const (
	// Words a question may ask for at once; a bundle asks for five of one contract at most.
	mostWords    = 64
	nextBlockAge = 250 * time.Millisecond
)

// proofs answers comet_getProof: words of a contract's storage with the proofs and signatures that let an outsider check them
// without any node (docs/formats.md). The Ethereum face of this chain cannot carry them: its headers have no state root.
type proofs struct {
	node     proofNode
	patience time.Duration
}

type proofNode interface {
	rpcclient.SignClient
	rpcclient.ABCIClient
}

// provedWord is a word of storage, absent when it is zero. Proofs: ICS-23 commitment proofs (protobuf), from the word to the
// root of the store "evm" and from there to the root of all stores.
type provedWord struct {
	Slot   hexutil.Bytes   `json:"slot"`
	Value  hexutil.Bytes   `json:"value"`
	Proofs []hexutil.Bytes `json:"proofs"`
}

// provedState is what a question is answered with. The block's state is committed to by the header of the block after it.
type provedState struct {
	Header     *cmttypes.Header      `json:"header"`
	Next       *cmttypes.Header      `json:"next"`
	Commit     *cmttypes.Commit      `json:"commit"`
	Validators []*cmttypes.Validator `json:"validators"`
	Storage    []provedWord          `json:"storage"`
}

// GetProof proves words of an account's storage after a block. It waits for the next block when there is none yet.
func (p *proofs) GetProof(
	address common.Address, slots []common.Hash, height hexutil.Uint64,
) (*provedState, error) {
	if len(slots) == 0 || len(slots) > mostWords || height == 0 || height > 1<<62 {
		return nil, errors.New("invalid argument: 1 to 64 slots at a block from 1 on")
	}
	ctx, cancel := context.WithTimeout(context.Background(), p.patience)
	defer cancel()
	at := int64(height)
	block, err := p.node.Header(ctx, &at)
	if err != nil || block.Header == nil {
		return nil, errors.New("header not found")
	}
	answer, err := p.signed(ctx, at+1)
	if err != nil {
		return nil, err
	}
	answer.Header = block.Header
	for _, slot := range slots {
		word, err := p.word(ctx, address, slot, at)
		if err != nil {
			return nil, err
		}
		answer.Storage = append(answer.Storage, word)
	}
	return answer, nil
}

// signed is a header with its validators' signatures, waited for while it is the one being made.
func (p *proofs) signed(ctx context.Context, height int64) (*provedState, error) {
	for {
		found, err := p.node.Commit(ctx, &height)
		if err == nil && found.Header != nil {
			page, most := 1, 100
			voters, err := p.node.Validators(ctx, &height, &page, &most)
			if err != nil {
				return nil, err
			}
			return &provedState{Next: found.Header, Commit: found.Commit, Validators: voters.Validators}, nil
		}
		select {
		case <-ctx.Done():
			return nil, errors.New("timeout: no block came after the one asked about")
		case <-time.After(nextBlockAge):
		}
	}
}

func (p *proofs) word(ctx context.Context, address common.Address, slot common.Hash, height int64) (provedWord, error) {
	options := rpcclient.ABCIQueryOptions{Height: height, Prove: true}
	path := "/store/" + evmtypes.StoreKey + "/key"
	found, err := p.node.ABCIQueryWithOptions(ctx, path, evmtypes.StateKey(address, slot.Bytes()), options)
	if err != nil {
		return provedWord{}, err
	}
	if found.Response.Code != 0 || found.Response.ProofOps == nil {
		return provedWord{}, errors.New("state not available: " + found.Response.Log)
	}
	word := provedWord{Slot: slot.Bytes(), Value: found.Response.Value}
	for _, step := range found.Response.ProofOps.Ops {
		word.Proofs = append(word.Proofs, step.Data)
	}
	return word, nil
}
