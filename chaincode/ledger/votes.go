package ledger

import (
	"healthtrust/chaincode/national"
	"healthtrust/chaincode/words"
)

// What the alliance can decide by vote.
const (
	actionInvite = iota
	actionSuspend
	actionRestore
	actionExpel
	actionSetRoles
	actionRotateKey
	actionExecute
)

type proposal struct {
	Action   uint8        `json:"action"`
	Args     words.Bytes  `json:"args"`
	Expires  words.Uint64 `json:"expires"`
	Executed bool         `json:"executed"`
	Voters   []words.Word `json:"voters"`
}

func proposalKey(number uint64) string { return key(alliance, "proposal", numbered(number)) }

type proposeArgs struct {
	Action uint8       `json:"action"`
	Args   words.Bytes `json:"args"`
	R      words.Word  `json:"r"`
	S      words.Word  `json:"s"`
}

// propose opens a proposal and votes for it; executed at once if that vote suffices.
func propose(f *frame, a proposeArgs) (words.Uint256, error) {
	if a.Action > actionExecute {
		return words.Uint256{}, refuse(errRevertedWithoutData)
	}
	id, o, err := f.activeMember()
	if err != nil {
		return words.Uint256{}, err
	}
	digest, nonce := national.Hash(a.Args), words.FromUint64(uint64(o.KeyNonce))
	signed := message(kindAllianceProposal, f.domain(alliance), id, words.FromUint64(uint64(a.Action)), digest, nonce)
	if err := requireSigned(o, signed, a.R, a.S); err != nil {
		return words.Uint256{}, err
	}
	o.KeyNonce++
	save(f, organisationKey(id), o)
	return f.openProposal(id, a.Action, a.Args)
}

// openProposal: the founder's publications need no signature beside the founding itself.
func (f *frame) openProposal(id words.Word, action uint8, args words.Bytes) (words.Uint256, error) {
	counter := key(alliance, "proposals")
	number := load[words.Uint64](f, counter)
	save(f, counter, number+1)
	expires := words.Uint64(f.time + votingPeriod)
	f.emit(alliance, eventProposed, field{"proposal", number}, field{"organisation", id}, field{"action", action},
		field{"args", args}, field{"expires", expires})
	opened := proposal{action, args, expires, false, []words.Word{}}
	return words.Uint256(words.FromUint64(uint64(number))), cast(f, uint64(number), opened, id)
}

type voteArgs struct {
	Proposal words.Uint256 `json:"proposal"`
	R        words.Word    `json:"r"`
	S        words.Word    `json:"s"`
}

func vote(f *frame, a voteArgs) (none, error) {
	id, o, err := f.activeMember()
	if err != nil {
		return none{}, err
	}
	number, p, err := f.proposal(a.Proposal)
	if err != nil {
		return none{}, err
	}
	decided := []words.Word{words.Word(a.Proposal), words.FromUint64(uint64(p.Action)), national.Hash(p.Args)}
	signed := message(append([]words.Word{kindAllianceVote, f.domain(alliance), id}, decided...)...)
	if err := requireSigned(o, signed, a.R, a.S); err != nil {
		return none{}, err
	}
	return none{}, cast(f, number, p, id)
}

// cast adds a vote; the one that makes strictly more than half of the active members agree executes.
func cast(f *frame, number uint64, p proposal, id words.Word) error {
	named := field{"proposal", words.Uint64(number)}
	if p.Executed || f.time >= uint64(p.Expires) {
		return refuse(errProposalClosed, named)
	}
	if isVoter(p, id) {
		return refuse(errAlreadyVoted, named, field{"organisation", id})
	}
	p.Voters = append(p.Voters, id)
	f.emit(alliance, eventVoted, named, field{"organisation", id})
	p.Executed = f.activeVotes(p)*2 > f.activeCount()
	save(f, proposalKey(number), p)
	if !p.Executed {
		return nil
	}
	if err := execute(f, p); err != nil {
		return err
	}
	f.emit(alliance, eventExecuted, named)
	return nil
}

func (f *frame) activeVotes(p proposal) (votes uint64) {
	for _, id := range p.Voters {
		if f.member(id).Status == statusActive {
			votes++
		}
	}
	return votes
}

// proposal is a stored proposal by the number a caller gave.
func (f *frame) proposal(given words.Uint256) (uint64, proposal, error) {
	number := words.Word(given).Low64()
	p := load[proposal](f, proposalKey(number))
	if words.FromUint64(number) != words.Word(given) || p.Expires == 0 {
		return 0, p, refuse(errUnknownProposal, field{"proposal", given})
	}
	return number, p, nil
}

func execute(f *frame, p proposal) error {
	switch p.Action {
	case actionInvite:
		return decided(f, p.Args, invite)
	case actionSuspend:
		return decided(f, p.Args, suspend)
	case actionRestore:
		return decided(f, p.Args, restore)
	case actionExpel:
		return decided(f, p.Args, expel)
	case actionSetRoles:
		return decided(f, p.Args, setRoles)
	case actionRotateKey:
		return decided(f, p.Args, replaceKey)
	default:
		return decided(f, p.Args, callContract)
	}
}

// decided reads the arguments of a decision and does it.
func decided[A any](f *frame, encoded []byte, run func(*frame, A) error) error {
	var a A
	if words.DecodeABI(encoded, &a) != nil {
		return refuse(errRevertedWithoutData)
	}
	return run(f, a)
}

type contractCall struct {
	Target words.Address `json:"target"`
	Data   words.Bytes   `json:"data"`
}

// callContract calls another contract in the alliance's name.
func callContract(f *frame, a contractCall) error {
	name, there := f.contractAt(a.Target)
	if !there {
		return refuse(errNoCode, field{"target", a.Target})
	}
	m, found := selected(name, a.Data)
	if !found {
		return refuse(errRevertedWithoutData)
	}
	return f.as(f.addressOf(alliance), func() error {
		_, err := m.run(f, abiReader(a.Data[selectorBytes:]))
		return err
	})
}
