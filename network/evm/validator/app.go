package main

import (
	"io"
	"os"

	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/evm/evmd"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/spf13/cast"

	"cosmossdk.io/log"
	"cosmossdk.io/store"
	storetypes "cosmossdk.io/store/types"

	"github.com/cosmos/cosmos-sdk/baseapp"
	"github.com/cosmos/cosmos-sdk/client/flags"
	sdkserver "github.com/cosmos/cosmos-sdk/server"
	servertypes "github.com/cosmos/cosmos-sdk/server/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkmempool "github.com/cosmos/cosmos-sdk/types/mempool"
)

// newApp is the application of cosmos/evm with a few things of ours: the SM2 and SM3 precompiles, the allow-list asked before a
// transaction enters the mempool or a block, votes that end when they are won, the list of peers. Every validator of a network
// must run the same one.
func newApp(logger log.Logger, db dbm.DB, trace io.Writer, options servertypes.AppOptions) servertypes.Application {
	chain := cast.ToUint64(options.Get(chainKey))
	app := evmd.NewExampleApp(logger, db, trace, false, options, chain, configure, baseOptions(options)...)
	for address, precompile := range vm.PrecompiledContractsPrague {
		app.EVMKeeper.RegisterStaticPrecompile(address, precompile)
	}
	for _, precompile := range []vm.PrecompiledContract{sm2Verify{}, sm3Hash{}} {
		app.EVMKeeper.RegisterStaticPrecompile(precompile.Address(), precompile)
	}
	app.SetAnteHandler(membersOnly(app.EVMKeeper, app.AnteHandler()))
	app.SetIDPeerFilter(onlyListedPeers(options))
	app.SetEndBlocker(func(ctx sdk.Context) (sdk.EndBlock, error) {
		total, err := app.StakingKeeper.TotalBondedTokens(ctx)
		if err != nil {
			return sdk.EndBlock{}, err
		}
		if err := closeWonVotes(&app.GovKeeper, total, ctx); err != nil {
			return sdk.EndBlock{}, err
		}
		return app.EndBlocker(ctx)
	})
	if err := app.LoadLatestVersion(); err != nil {
		logger.Error("the state cannot be loaded", "error", err)
		os.Exit(1)
	}
	return app
}

// baseOptions reads from app.toml and the flags what an organisation may choose for its own node. None of it changes what a
// block does to the state.
func baseOptions(options servertypes.AppOptions) []func(*baseapp.BaseApp) {
	pruning, err := sdkserver.GetPruningOptionsFromFlags(options)
	if err != nil {
		panic(err)
	}
	var cache storetypes.MultiStorePersistentCache
	if cast.ToBool(options.Get(sdkserver.FlagInterBlockCache)) {
		cache = store.NewCommitKVStoreCacheManager()
	}
	return []func(*baseapp.BaseApp){
		baseapp.SetPruning(pruning),
		baseapp.SetMinGasPrices(cast.ToString(options.Get(sdkserver.FlagMinGasPrices))),
		baseapp.SetHaltHeight(cast.ToUint64(options.Get(sdkserver.FlagHaltHeight))),
		baseapp.SetMinRetainBlocks(cast.ToUint64(options.Get(sdkserver.FlagMinRetainBlocks))),
		baseapp.SetInterBlockCache(cache),
		baseapp.SetIndexEvents(cast.ToStringSlice(options.Get(sdkserver.FlagIndexEvents))),
		baseapp.SetIAVLCacheSize(cast.ToInt(options.Get(sdkserver.FlagIAVLCacheSize))),
		baseapp.SetIAVLDisableFastNode(cast.ToBool(options.Get(sdkserver.FlagDisableIAVLFastNode))),
		baseapp.SetChainID(cast.ToString(options.Get(flags.FlagChainID))),
		firstComeFirstServed,
	}
}

// firstComeFirstServed leaves the order of transactions to CometBFT's own mempool: an account's nonces arrive in order, and no
// fee can move one forward.
func firstComeFirstServed(app *baseapp.BaseApp) {
	mempool := sdkmempool.NoOpMempool{}
	handler := baseapp.NewDefaultProposalHandler(mempool, app)
	app.SetMempool(mempool)
	app.SetPrepareProposal(handler.PrepareProposalHandler())
	app.SetProcessProposal(handler.ProcessProposalHandler())
}
