package decision

import (
	"bytes"
	"encoding/binary"

	"healthtrust/chaincode/words"
)

const (
	fixedWords = 7

	granteePractitioner = 1
	granteeOrganisation = 2
	granteeRole         = 3
	granteeLink         = 4

	anyCustodian = 1
	anyRecord    = 2
	anySchema    = 4
)

var scopeKind = words.Kind("healthtrust/scope/v1")

// scope is the words of an opened consent scope (docs/formats.md §5) and how many of each list they hold.
type scope struct {
	data                       []byte
	custodians, records, masks int
	flags                      byte
}

// parseScope is false unless the words have the one shape there is.
func parseScope(data []byte) (scope, bool) {
	if len(data) < 32*fixedWords || len(data)%32 != 0 {
		return scope{}, false
	}
	s := scope{data: data}
	head, period := s.word(2), s.word(5)
	s.custodians = int(binary.BigEndian.Uint16(head[8:]))
	s.records = int(binary.BigEndian.Uint16(head[10:]))
	s.masks = int(binary.BigEndian.Uint16(head[12:]))
	s.flags = head[14]
	shaped := s.word(0) == scopeKind && headHolds(head) && s.flagsHold() && isZero(period[20:])
	return s, shaped && len(data) == 32*(fixedWords+s.custodians+s.records+2*s.masks) && s.sorted()
}

func headHolds(head words.Word) bool {
	grantee, mode, onward, flags := head[0], head[1], head[2], head[14]
	known := grantee >= granteePractitioner && grantee <= granteeLink && mode >= 1 && mode <= 3 && onward <= 1
	return known && head[3] == 0 && flags <= anyCustodian|anyRecord|anySchema && isZero(head[15:])
}

// flagsHold: a list beside its any-flag would say two things.
func (s scope) flagsHold() bool {
	return (!s.any(anyCustodian) || s.custodians == 0) && (!s.any(anyRecord) || s.records == 0) && (!s.any(anySchema) || s.masks == 0)
}

func (s scope) sorted() bool {
	records := fixedWords + s.custodians
	return s.ascending(fixedWords, s.custodians, 1) && s.ascending(records, s.records, 1) && s.ascending(records+s.records, s.masks, 2)
}

func (s scope) ascending(first, count, step int) bool {
	for i := 1; i < count; i++ {
		before, after := s.word(first+(i-1)*step), s.word(first+i*step)
		if bytes.Compare(after[:], before[:]) <= 0 {
			return false
		}
	}
	return true
}

// agrees tells whether subject, period and use limit are those the ledger holds.
func (s scope) agrees(c ConsentState) bool {
	var packed words.Word
	binary.BigEndian.PutUint64(packed[0:], uint64(c.NotBefore))
	binary.BigEndian.PutUint64(packed[8:], uint64(c.NotAfter))
	binary.BigEndian.PutUint32(packed[16:], c.UseLimit)
	return s.word(1) == c.Subject && s.word(5) == packed
}

// names tells whether the requester is the grantee.
func (s scope) names(q Request) bool {
	id, organisation := s.word(3), s.word(4)
	bound := organisation.IsZero() || organisation == q.RequesterOrganisation
	switch s.word(2)[0] {
	case granteePractitioner:
		return id == q.Requester && bound
	case granteeOrganisation:
		return id == q.RequesterOrganisation
	case granteeRole:
		return id == words.FromUint64(uint64(q.Role)) && bound
	default:
		return id == q.Requester
	}
}

func (s scope) hasPurpose(purpose uint8) bool {
	head := s.word(2)
	return binary.BigEndian.Uint32(head[4:])>>purpose&1 == 1
}

func (s scope) hasCategory(category uint8) bool { return words.Uint256(s.word(6)).Has(category) }

func (s scope) hasCustodian(custodian words.Word) bool {
	return s.any(anyCustodian) || s.contains(fixedWords, s.custodians, custodian)
}

func (s scope) hasRecord(record words.Word) bool {
	return s.any(anyRecord) || s.contains(fixedWords+s.custodians, s.records, record)
}

// maskOf is the fields granted of a schema; none where it is not named.
func (s scope) maskOf(schema words.Word) (mask words.Uint256) {
	if s.any(anySchema) {
		return everything()
	}
	first := fixedWords + s.custodians + s.records
	for i := range s.masks {
		if s.word(first+2*i) == schema {
			return words.Uint256(s.word(first + 2*i + 1))
		}
	}
	return mask
}

func (s scope) contains(first, count int, wanted words.Word) bool {
	for i := range count {
		if s.word(first+i) == wanted {
			return true
		}
	}
	return false
}

func (s scope) any(flag byte) bool { return s.flags&flag != 0 }

func (s scope) word(i int) words.Word { return words.Word(s.data[32*i : 32*i+32]) }

func everything() (all words.Uint256) {
	for i := range all {
		all[i] = 0xff
	}
	return all
}

func isZero(data []byte) bool {
	for _, b := range data {
		if b != 0 {
			return false
		}
	}
	return true
}
