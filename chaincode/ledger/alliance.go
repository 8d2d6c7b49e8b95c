package ledger

import (
	"slices"

	"healthtrust/chaincode/national"
	"healthtrust/chaincode/words"
)

const (
	allRoles     = 1<<5 - 1
	votingPeriod = 30 * 24 * 60 * 60
)

// organisationInit is a member as it is invited: its id, SM3 of its public name, role bits, SM2 key and first ledger account.
type organisationInit struct {
	ID         words.Word    `json:"id"`
	NameDigest words.Word    `json:"nameDigest"`
	Roles      uint32        `json:"roles"`
	X          words.Word    `json:"x"`
	Y          words.Word    `json:"y"`
	Account    words.Address `json:"account"`
}

type foundArgs struct {
	Name  string           `json:"name"`
	Salt  words.Word       `json:"salt"`
	First organisationInit `json:"first"`
}

// found is the constructor: the caller's organisation becomes the first member and publishes every contract by its own vote.
func found(f *frame, a foundArgs) (words.Word, error) {
	if a.First.Account != f.caller.account {
		return words.Word{}, refuse(errNotAMember, field{"account", a.First.Account})
	}
	f.facts.LedgerID, f.facts.Name = ledgerID(a.Name, a.Salt), a.Name
	save(f, factsKey(), f.facts)
	if err := invite(f, a.First); err != nil {
		return words.Word{}, err
	}
	f.activate(a.First.ID)
	for _, name := range contracts {
		call := words.EncodeABI(words.Kind(name), f.addressOf(name), uint32(1))
		data := append(selector(registry, "publish"), call...)
		execution := words.EncodeABI(f.addressOf(registry), words.Bytes(data))
		if _, err := f.openProposal(a.First.ID, actionExecute, execution); err != nil {
			return words.Word{}, err
		}
	}
	return f.facts.LedgerID, nil
}

type joinArgs struct {
	Organisation words.Word `json:"organisation"`
}

func join(f *frame, a joinArgs) (none, error) {
	id, o := f.seatOf(f.caller.account)
	if id != a.Organisation || id.IsZero() {
		return none{}, refuse(errNotAMember, field{"account", f.caller.account})
	}
	if o.Status != statusInvited {
		return none{}, wrongStatus(id, o)
	}
	f.activate(id)
	return none{}, nil
}

type leaveArgs struct {
	R words.Word `json:"r"`
	S words.Word `json:"s"`
}

func leave(f *frame, a leaveArgs) (none, error) {
	id, o, err := f.activeMember()
	if err != nil {
		return none{}, err
	}
	signed := message(kindAllianceLeave, f.domain(alliance), id, words.FromUint64(uint64(o.KeyNonce)))
	if err := requireSigned(o, signed, a.R, a.S); err != nil {
		return none{}, err
	}
	return none{}, remove(f, id, false)
}

type rotateOrganisationKeyArgs struct {
	X words.Word `json:"x"`
	Y words.Word `json:"y"`
	R words.Word `json:"r"`
	S words.Word `json:"s"`
}

func rotateOrganisationKey(f *frame, a rotateOrganisationKeyArgs) (none, error) {
	id, o, err := f.activeMember()
	if err != nil {
		return none{}, err
	}
	signed := message(kindOrganisationKey, f.domain(alliance), id, a.X, a.Y, words.FromUint64(uint64(o.KeyNonce)))
	if err := requireSigned(o, signed, a.R, a.S); err != nil {
		return none{}, err
	}
	return none{}, f.setOrganisationKey(id, a.X, a.Y)
}

type setAccountArgs struct {
	Account words.Address `json:"account"`
	Allowed bool          `json:"allowed"`
	R       words.Word    `json:"r"`
	S       words.Word    `json:"s"`
}

func setAccount(f *frame, a setAccountArgs) (none, error) {
	id, o, err := f.activeMember()
	if err != nil {
		return none{}, err
	}
	if a.Account == f.caller.account {
		return none{}, refuse(errOwnAccount, field{"account", a.Account})
	}
	if a.Account.IsZero() {
		return none{}, refuse(errZeroValue)
	}
	holder, _ := f.seatOf(a.Account)
	if free := a.Allowed && holder.IsZero(); !free && (a.Allowed || holder != id) {
		return none{}, refuse(errAccountTaken, field{"account", a.Account}, field{"organisation", holder})
	}
	nonce := words.FromUint64(uint64(o.KeyNonce))
	signed := message(kindLedgerAccount, f.domain(alliance), id, a.Account.Word(), words.FromBool(a.Allowed), nonce)
	if err := requireSigned(o, signed, a.R, a.S); err != nil {
		return none{}, err
	}
	f.seatAccount(id, o, a)
	return none{}, nil
}

func (f *frame) seatAccount(id words.Word, o organisation, a setAccountArgs) {
	o.KeyNonce++
	save(f, organisationKey(id), o)
	held := seat{}
	if a.Allowed {
		held = seat{id, o.Era}
	}
	save(f, seatKey(a.Account), held)
	f.emit(alliance, eventAccountSet, field{"organisation", id}, field{"account", a.Account}, field{"allowed", a.Allowed})
}

// What votes do.

func invite(f *frame, a organisationInit) error {
	o := f.member(a.ID)
	if o.Status != statusNone && o.Status != statusLeft && o.Status != statusInvited {
		return wrongStatus(a.ID, o)
	}
	if a.ID.IsZero() || a.Account.IsZero() {
		return refuse(errZeroValue)
	}
	if holder, _ := f.seatOf(a.Account); !holder.IsZero() && holder != a.ID {
		return refuse(errAccountTaken, field{"account", a.Account}, field{"organisation", holder})
	}
	if err := requireKnownRoles(a.Roles); err != nil {
		return err
	}
	o.Status, o.Roles, o.NameDigest = statusInvited, a.Roles, a.NameDigest
	o.Era++
	save(f, seatKey(a.Account), seat{a.ID, o.Era})
	if _, err := f.writeOrganisationKey(a.ID, o, a.X, a.Y); err != nil {
		return err
	}
	f.emit(alliance, eventOrganisationInvited, field{"organisation", a.ID}, field{"nameDigest", a.NameDigest},
		field{"roles", a.Roles}, field{"x", a.X}, field{"y", a.Y}, field{"account", a.Account})
	return nil
}

func (f *frame) activate(id words.Word) {
	o := f.member(id)
	o.Status, o.JoinedAt, o.MSP = statusActive, words.Uint64(f.time), f.caller.msp
	save(f, organisationKey(id), o)
	f.countActive(1)
	f.emit(alliance, eventOrganisationJoined, field{"organisation", id}, field{"account", f.caller.account})
}

type organisationArgs struct {
	ID words.Word `json:"id"`
}

func suspend(f *frame, a organisationArgs) error {
	o := f.member(a.ID)
	if o.Status != statusActive {
		return wrongStatus(a.ID, o)
	}
	if err := f.dropActive(a.ID); err != nil {
		return err
	}
	o.Status = statusSuspended
	save(f, organisationKey(a.ID), o)
	f.emit(alliance, eventOrganisationSuspended, field{"organisation", a.ID})
	return nil
}

func restore(f *frame, a organisationArgs) error {
	o := f.member(a.ID)
	if o.Status != statusSuspended {
		return wrongStatus(a.ID, o)
	}
	o.Status = statusActive
	save(f, organisationKey(a.ID), o)
	f.countActive(1)
	f.emit(alliance, eventOrganisationRestored, field{"organisation", a.ID})
	return nil
}

func expel(f *frame, a organisationArgs) error { return remove(f, a.ID, true) }

func remove(f *frame, id words.Word, expelled bool) error {
	o := f.member(id)
	switch o.Status {
	case statusActive:
		if err := f.dropActive(id); err != nil {
			return err
		}
	case statusSuspended, statusInvited:
	default:
		return wrongStatus(id, o)
	}
	o.Status = statusLeft
	save(f, organisationKey(id), o)
	f.emit(alliance, eventOrganisationLeft, field{"organisation", id}, field{"expelled", expelled})
	return nil
}

type rolesArgs struct {
	ID    words.Word `json:"id"`
	Roles uint32     `json:"roles"`
}

func setRoles(f *frame, a rolesArgs) error {
	o := f.member(a.ID)
	if o.Status == statusNone {
		return wrongStatus(a.ID, o)
	}
	if err := requireKnownRoles(a.Roles); err != nil {
		return err
	}
	o.Roles = a.Roles
	save(f, organisationKey(a.ID), o)
	f.emit(alliance, eventRolesSet, field{"organisation", a.ID}, field{"roles", a.Roles})
	return nil
}

type replaceKeyArgs struct {
	ID words.Word `json:"id"`
	X  words.Word `json:"x"`
	Y  words.Word `json:"y"`
}

func replaceKey(f *frame, a replaceKeyArgs) error {
	if o := f.member(a.ID); o.Status == statusNone {
		return wrongStatus(a.ID, o)
	}
	return f.setOrganisationKey(a.ID, a.X, a.Y)
}

func (f *frame) setOrganisationKey(id, x, y words.Word) error {
	nonce, err := f.writeOrganisationKey(id, f.member(id), x, y)
	if err == nil {
		f.emit(alliance, eventKeyRotated, field{"organisation", id}, field{"x", x}, field{"y", y}, field{"nonce", nonce})
	}
	return err
}

// writeOrganisationKey: the nonce grows with every key, account and proposal, so that what was signed serves once.
func (f *frame) writeOrganisationKey(id words.Word, o organisation, x, y words.Word) (nonce words.Uint64, err error) {
	if !national.OnCurve(x, y) {
		return 0, refuse(errKeyOffCurve, field{"x", x}, field{"y", y})
	}
	o.X, o.Y = x, y
	o.KeyNonce++
	save(f, organisationKey(id), o)
	return o.KeyNonce, nil
}

// dropActive: an alliance without an active member could never act again.
func (f *frame) dropActive(id words.Word) error {
	if f.activeCount() == 1 {
		return refuse(errLastMember, field{"organisation", id})
	}
	f.countActive(-1)
	return nil
}

func (f *frame) countActive(change int) {
	save(f, key(alliance, "active"), words.Uint64(int(f.activeCount())+change))
}

func (f *frame) activeCount() uint64 { return uint64(load[words.Uint64](f, key(alliance, "active"))) }

// activeMember is the caller's organisation, which must be active.
func (f *frame) activeMember() (words.Word, organisation, error) {
	id, o, err := f.callerOrganisation()
	if err == nil && o.Status != statusActive {
		err = wrongStatus(id, o)
	}
	return id, o, err
}

func requireSigned(o organisation, signed []byte, r, s words.Word) error {
	if valid, _ := signedBy(o.X, o.Y, signed, r, s); !valid {
		return refuse(errBadSignature)
	}
	return nil
}

func requireKnownRoles(roles uint32) error {
	if roles&^allRoles != 0 {
		return refuse(errUnknownRoles, field{"roles", roles})
	}
	return nil
}

func wrongStatus(id words.Word, o organisation) error {
	return refuse(errWrongStatus, field{"organisation", id}, field{"status", o.Status})
}

// isVoter tells whether the organisation is among those that voted.
func isVoter(p proposal, id words.Word) bool { return slices.Contains(p.Voters, id) }
