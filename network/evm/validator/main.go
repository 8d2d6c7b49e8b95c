// Command validator is one node of the EVM consortium: CometBFT (Byzantine fault tolerant, final at once) with the EVM of
// cosmos/evm, national cryptography as precompiles and a list of accounts that may write.
//
//	validator init|keys|genesis …   make a node's keys and the network's genesis, as every Cosmos chain does
//	validator start --home DIR      run the node
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/cosmos/evm/cmd/evmd/cmd"
	evmdconfig "github.com/cosmos/evm/cmd/evmd/config"
	"github.com/cosmos/evm/evmd"
	evmserver "github.com/cosmos/evm/server"
	evmtypes "github.com/cosmos/evm/x/vm/types"
	"github.com/spf13/cobra"
	"github.com/spf13/viper"

	svrcmd "github.com/cosmos/cosmos-sdk/server/cmd"
	sdk "github.com/cosmos/cosmos-sdk/types"
)

// The chain's coin exists because a Cosmos chain cannot be without one: validators' shares are counted in it. Fees are zero.
const (
	denom        = "ashare"
	displayDenom = "share"
	defaultChain = 262144
	chainKey     = "evm.evm-chain-id"
)

func main() {
	evmdconfig.SetBech32Prefixes(sdk.GetConfig())
	if err := configure(chainOf(evmd.DefaultNodeHome)); err != nil {
		fail(err)
	}
	if err := offerCalls(); err != nil {
		fail(err)
	}
	root := cmd.NewRootCmd()
	root.Use, root.Short = "validator", "one node of the EVM consortium"
	replace(root, evmserver.StartCmd(evmserver.NewDefaultStartOptions(newApp, evmd.DefaultNodeHome)))
	if err := svrcmd.Execute(root, "", evmd.DefaultNodeHome); err != nil {
		fail(err)
	}
}

// chainOf reads the EVM chain id from a node's app.toml; commands that make the genesis run before it exists, and need none.
func chainOf(home string) uint64 {
	file := viper.New()
	file.SetConfigFile(filepath.Join(home, "config", "app.toml"))
	if err := file.ReadInConfig(); err != nil {
		return defaultChain
	}
	return file.GetUint64(chainKey)
}

// configure fixes the EVM's chain id and coin for this process, once.
func configure(chain uint64) error {
	if _, known := evmdconfig.ChainsCoinInfo[chain]; !known || chain == defaultChain {
		evmdconfig.ChainsCoinInfo[chain] = evmtypes.EvmCoinInfo{
			Denom: denom, ExtendedDenom: denom, DisplayDenom: displayDenom, Decimals: evmtypes.EighteenDecimals,
		}
	}
	return evmd.EvmAppOptions(chain)
}

// replace puts a command in the place of the one of the same name.
func replace(root, command *cobra.Command) {
	for _, old := range root.Commands() {
		if old.Name() == command.Name() {
			root.RemoveCommand(old)
		}
	}
	root.AddCommand(command)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
