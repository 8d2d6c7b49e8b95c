package main

import (
	"time"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	govkeeper "github.com/cosmos/cosmos-sdk/x/gov/keeper"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
)

// closeWonVotes lets a vote of the validators end with the block in which more than two thirds of all power has said yes:
// nothing can turn it any more, and whoever is put out must not stay for the days that a vote may take. Everything else about
// votes is the gov module's, which runs next and executes what was won.
func closeWonVotes(keeper *govkeeper.Keeper, total math.Int, ctx sdk.Context) error {
	queue, err := keeper.ActiveProposalsQueue.Iterate(ctx, nil)
	if err != nil {
		return err
	}
	waiting, err := queue.Keys()
	if err != nil {
		return err
	}
	for _, key := range waiting {
		proposal, err := keeper.Proposals.Get(ctx, key.K2())
		if err != nil {
			// The gov module fails what it cannot read.
			continue
		}
		won, err := isWon(keeper, proposal, total, ctx)
		if err != nil {
			return err
		}
		if !won {
			continue
		}
		if err := endNow(keeper, key, proposal, ctx); err != nil {
			return err
		}
	}
	return nil
}

// isWon counts on a copy of the state, because counting takes the votes away.
func isWon(keeper *govkeeper.Keeper, proposal govv1.Proposal, total math.Int, ctx sdk.Context) (bool, error) {
	copied, _ := ctx.CacheContext()
	_, _, counted, err := keeper.Tally(copied, proposal)
	if err != nil {
		return false, err
	}
	yes, ok := math.NewIntFromString(counted.YesCount)
	return ok && yes.MulRaw(3).GT(total.MulRaw(2)), nil
}

func endNow(
	keeper *govkeeper.Keeper, key collections.Pair[time.Time, uint64], proposal govv1.Proposal, ctx sdk.Context,
) error {
	now := ctx.BlockTime()
	proposal.VotingEndTime = &now
	if err := keeper.ActiveProposalsQueue.Remove(ctx, key); err != nil {
		return err
	}
	if err := keeper.ActiveProposalsQueue.Set(ctx, collections.Join(now, proposal.Id), proposal.Id); err != nil {
		return err
	}
	return keeper.SetProposal(ctx, proposal)
}
