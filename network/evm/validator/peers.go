package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/spf13/cast"

	"github.com/cosmos/cosmos-sdk/client/flags"
	servertypes "github.com/cosmos/cosmos-sdk/server/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
)

// onlyListedPeers lets nodes connect whose identities (of their node keys) stand in config/peers.json. The file is read at every
// connection, so that a member joins without a restart of the others' nodes. Nobody is let in where it cannot be read.
func onlyListedPeers(options servertypes.AppOptions) sdk.PeerFilter {
	path := filepath.Join(cast.ToString(options.Get(flags.FlagHome)), "config", "peers.json")
	return func(identity string) *abci.ResponseQuery {
		if slices.Contains(peersIn(path), identity) {
			return &abci.ResponseQuery{}
		}
		return &abci.ResponseQuery{Code: 1, Log: "not on this node's list of peers"}
	}
}

func peersIn(path string) []string {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	var listed []string
	if json.Unmarshal(content, &listed) != nil {
		return nil
	}
	return listed
}
