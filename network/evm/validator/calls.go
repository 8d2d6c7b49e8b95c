package main

import (
	"context"
	"encoding/json"
	"errors"

	rpcclient "github.com/cometbft/cometbft/rpc/client"
	wsclient "github.com/cometbft/cometbft/rpc/jsonrpc/client"
	evmrpc "github.com/cosmos/evm/rpc"
	"github.com/cosmos/evm/rpc/backend"
	rpctypes "github.com/cosmos/evm/rpc/types"
	evmstypes "github.com/cosmos/evm/types"
	evmtypes "github.com/cosmos/evm/x/vm/types"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/cosmos/cosmos-sdk/client"
	sdkserver "github.com/cosmos/cosmos-sdk/server"
)

// callsNamespace is named last in app.toml's json-rpc.api: its eth_call takes the place of the one before it, and comet_getProof
// comes with it.
const callsNamespace = "calls"

// calls answers eth_call. That of cosmos/evm v0.3.2 leaves out what a contract reverted with, unless it is Error(string), and
// crashes over the hash of an unknown block.
type calls struct {
	backend *backend.Backend
	node    rpcclient.SignClient
	query   *rpctypes.QueryClient
}

func offerCalls() error {
	return evmrpc.RegisterAPINamespace(callsNamespace, func(
		server *sdkserver.Context, node client.Context, _ *wsclient.WSClient, unprotected bool, index evmstypes.EVMTxIndexer,
	) []rpc.API {
		answering := &calls{
			backend: backend.NewBackend(server, server.Logger, node, unprotected, index),
			node:    node.Client.(rpcclient.SignClient),
			query:   rpctypes.NewQueryClient(node),
		}
		proving := &proofs{node: node.Client.(proofNode), patience: answering.backend.RPCEVMTimeout()}
		return []rpc.API{
			{Namespace: evmrpc.EthNamespace, Version: "1.0", Service: answering, Public: true},
			{Namespace: "comet", Version: "1.0", Service: proving, Public: true},
		}
	})
}

// Call tries a call out on the state of a block.
func (c *calls) Call(
	args evmtypes.TransactionArgs, at rpctypes.BlockNumberOrHash, overrides *rpctypes.StateOverride,
) (hexutil.Bytes, error) {
	if overrides != nil {
		return nil, errors.New("overrides are not supported")
	}
	height, proposer, err := c.block(at)
	if err != nil {
		return nil, err
	}
	encoded, err := json.Marshal(&args)
	if err != nil {
		return nil, err
	}
	chain, err := c.backend.ChainID()
	if err != nil {
		return nil, err
	}
	asked := &evmtypes.EthCallRequest{
		Args: encoded, GasCap: c.backend.RPCGasCap(), ProposerAddress: proposer, ChainId: chain.ToInt().Int64(),
	}
	ctx, cancel := context.WithTimeout(rpctypes.ContextWithHeight(height), c.backend.RPCEVMTimeout())
	defer cancel()
	answer, err := c.query.EthCall(ctx, asked)
	switch {
	case err != nil:
		return nil, err
	case answer.VmError == vm.ErrExecutionReverted.Error():
		return nil, reverted(answer.Ret)
	case answer.VmError != "":
		return nil, errors.New(answer.VmError)
	}
	return answer.Ret, nil
}

// block is the height a question is about (0 = the newest state) and who proposed it.
func (c *calls) block(at rpctypes.BlockNumberOrHash) (int64, []byte, error) {
	unknown := errors.New("header not found")
	switch {
	case at.BlockHash != nil:
		found, err := c.node.HeaderByHash(context.Background(), at.BlockHash.Bytes())
		if err != nil || found == nil || found.Header == nil {
			return 0, nil, unknown
		}
		return found.Header.Height, found.Header.ProposerAddress, nil
	case at.BlockNumber != nil:
		found, err := c.backend.TendermintBlockByNumber(*at.BlockNumber)
		if err != nil || found == nil || found.Block == nil {
			return 0, nil, unknown
		}
		return at.BlockNumber.Int64(), found.Block.ProposerAddress, nil
	}
	return 0, nil, errors.New("invalid argument: no block is named")
}

// reverted carries what a contract reverted with, as Ethereum's nodes show it.
type reverted []byte

func (reverted) Error() string { return vm.ErrExecutionReverted.Error() }

func (reverted) ErrorCode() int { return 3 }

func (r reverted) ErrorData() interface{} { return hexutil.Encode(r) }
