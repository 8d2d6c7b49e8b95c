package main

import (
	"slices"

	errorsmod "cosmossdk.io/errors"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	sdk "github.com/cosmos/cosmos-sdk/types"
	errortypes "github.com/cosmos/cosmos-sdk/types/errors"

	evmtypes "github.com/cosmos/evm/x/vm/types"
)

// parameters is what the allow-list is read from: state every validator agrees on.
type parameters interface {
	GetParams(sdk.Context) evmtypes.Params
}

// membersOnly refuses transactions of accounts that are not on the allow-list, before anything is executed: at the node they
// are sent to, and again wherever they are gossiped, proposed or executed. Without it they would be mined and fail, and with
// fees of zero anybody could fill blocks.
func membersOnly(keeper parameters, next sdk.AnteHandler) sdk.AnteHandler {
	return func(ctx sdk.Context, tx sdk.Tx, simulate bool) (sdk.Context, error) {
		for _, message := range tx.GetMsgs() {
			if ethereum, ok := message.(*evmtypes.MsgEthereumTx); ok {
				if err := allowed(keeper.GetParams(ctx).AccessControl, ethereum); err != nil {
					return ctx, err
				}
			}
		}
		return next(ctx, tx, simulate)
	}
}

// allowed judges a transaction by the account that signed it.
func allowed(access evmtypes.AccessControl, message *evmtypes.MsgEthereumTx) error {
	transaction := message.AsTransaction()
	if transaction == nil {
		return errorsmod.Wrap(errortypes.ErrInvalidRequest, "no transaction in the message")
	}
	rule := access.Call
	if transaction.To() == nil {
		rule = access.Create
	}
	if rule.AccessType == evmtypes.AccessTypePermissionless {
		return nil
	}
	sender, err := types.Sender(types.LatestSignerForChainID(evmtypes.GetEthChainConfig().ChainID), transaction)
	if err != nil {
		return errorsmod.Wrap(errortypes.ErrorInvalidSigner, err.Error())
	}
	if listed(rule.AccessControlList, sender) {
		return nil
	}
	return errorsmod.Wrapf(errortypes.ErrUnauthorized, "sender %s is not allowed: not on the network's list of accounts", sender)
}

func listed(list []string, account common.Address) bool {
	return account != (common.Address{}) && slices.Contains(list, account.String())
}
