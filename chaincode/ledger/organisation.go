package ledger

import "healthtrust/chaincode/words"

// Status of an organisation.
const (
	statusNone = iota
	statusActive
	statusSuspended
	statusLeft
	statusInvited
)

// organisation is what the alliance keeps of a member. MSP is that of the account that joined: its peers must endorse changes of
// the organisation's own registers.
type organisation struct {
	Status     uint8        `json:"status"`
	Roles      uint32       `json:"roles"`
	JoinedAt   words.Uint64 `json:"joinedAt"`
	KeyNonce   words.Uint64 `json:"keyNonce"`
	Era        uint32       `json:"era"`
	X          words.Word   `json:"x"`
	Y          words.Word   `json:"y"`
	NameDigest words.Word   `json:"nameDigest"`
	MSP        string       `json:"msp"`
}

// seat: an account belongs to its organisation for the era of one invitation; a new invitation lets go of all accounts before it.
type seat struct {
	Organisation words.Word `json:"organisation"`
	Era          uint32     `json:"era"`
}

func organisationKey(id words.Word) string { return key(alliance, "organisation", id.Hex()) }

func seatKey(account words.Address) string { return key(alliance, "account", account.Hex()) }

// member is an organisation; the empty one where there is none.
func (f *frame) member(id words.Word) organisation { return load[organisation](f, organisationKey(id)) }

// seatOf is the organisation an account speaks for, zero if none.
func (f *frame) seatOf(account words.Address) (words.Word, organisation) {
	held := load[seat](f, seatKey(account))
	if held.Organisation.IsZero() {
		return words.Word{}, organisation{}
	}
	o := f.member(held.Organisation)
	if o.Era != held.Era {
		return words.Word{}, organisation{}
	}
	return held.Organisation, o
}
