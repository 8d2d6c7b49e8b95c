package main

import (
	"math/big"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/vm"
)

// Where contracts find the precompiles (network/evm/validators.py writes the same addresses into the genesis). Numbers of our
// own, outside the ranges that Ethereum and cosmos/evm use.
var (
	sm2Address = common.HexToAddress("0x0000000000000000000000000000000000534d32")
	sm3Address = common.HexToAddress("0x0000000000000000000000000000000000534d33")
)

// Gas by the time they take beside the contract's own arithmetic (220,000 for a verification): an SM2 verification costs like
// one of P-256 under EIP-7951, an SM3 block like four words of SHA-256.
const (
	sm2Gas         = 6_900
	sm3BaseGas     = 60
	sm3GasPerBlock = 48
	sm2InputLength = 5 * 32
)

var one = common.LeftPadBytes([]byte{1}, 32)

// sm2Verify has the shape of EIP-7951: input e ‖ r ‖ s ‖ x ‖ y, output the word 1, or nothing for anything that is no signature.
type sm2Verify struct{}

func (sm2Verify) Address() common.Address { return sm2Address }

func (sm2Verify) RequiredGas([]byte) uint64 { return sm2Gas }

func (sm2Verify) Run(_ *vm.EVM, contract *vm.Contract, _ bool) ([]byte, error) {
	if verifies(contract.Input) {
		return one, nil
	}
	return nil, nil
}

// verifies checks r‖s of GB/T 32918.2 over the digest e under the key (x, y).
func verifies(input []byte) bool {
	if len(input) != sm2InputLength {
		return false
	}
	key, err := sm2.NewPublicKey(append([]byte{4}, input[96:]...))
	if err != nil {
		return false
	}
	r, s := new(big.Int).SetBytes(input[32:64]), new(big.Int).SetBytes(input[64:96])
	return sm2.Verify(key, input[:32], r, s)
}

// sm3Hash has the shape of SHA-256's precompile: input any bytes, output the digest.
type sm3Hash struct{}

func (sm3Hash) Address() common.Address { return sm3Address }

func (sm3Hash) RequiredGas(input []byte) uint64 {
	return sm3BaseGas + sm3GasPerBlock*uint64((len(input)+9+sm3.BlockSize-1)/sm3.BlockSize)
}

func (sm3Hash) Run(_ *vm.EVM, contract *vm.Contract, _ bool) ([]byte, error) {
	digest := sm3.Sum(contract.Input)
	return digest[:], nil
}
