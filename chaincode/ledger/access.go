package ledger

import (
	"healthtrust/chaincode/words"
)

const (
	asked         = 1
	answered      = 2
	lastAnswer    = 4
	lastOutcome   = 2
	maxMinutes    = 1440
	reviewPeriod  = 72 * 60 * 60
	secondsMinute = 60
)

type accessRequest struct {
	Organisation words.Word `json:"organisation"`
	Commitment   words.Word `json:"commitment"`
	Status       uint8      `json:"status"`
	Value        uint8      `json:"value"`
}

// receiptHead is where an organisation's receipts stand; Endorser is the MSP whose peers must endorse the next change.
type receiptHead struct {
	Batches    words.Uint64 `json:"batches"`
	NextNumber words.Uint64 `json:"nextNumber"`
	HeadHash   words.Word   `json:"headHash"`
	Endorser   string       `json:"endorser"`
}

type receiptBatch struct {
	Root        words.Word   `json:"root"`
	FirstNumber words.Uint64 `json:"firstNumber"`
	Count       uint32       `json:"count"`
	RecordedAt  words.Uint64 `json:"recordedAt"`
}

type emergency struct {
	Organisation words.Word   `json:"organisation"`
	Commitment   words.Word   `json:"commitment"`
	EndsAt       words.Uint64 `json:"endsAt"`
	ReviewBy     words.Uint64 `json:"reviewBy"`
	Outcome      uint8        `json:"outcome"`
}

func accessRequestKey(id words.Word) string { return key(access, "request", id.Hex()) }

func receiptHeadKey(id words.Word) string { return key(access, "receipts", id.Hex()) }

func receiptBatchKey(id words.Word, number uint64) string {
	return key(access, "receipt-batch", id.Hex(), numbered(number))
}

func emergencyKey(id words.Word) string { return key(access, "emergency", id.Hex()) }

type requestArgs struct {
	ID         words.Word `json:"id"`
	Commitment words.Word `json:"commitment"`
}

// requestAccess: a member asks; what and whom is behind the commitment.
func requestAccess(f *frame, a requestArgs) (none, error) {
	id, _, err := f.activeCaller(0)
	switch {
	case err != nil:
		return none{}, err
	case a.ID.IsZero() || a.Commitment.IsZero():
		return none{}, refuse(errZeroValue)
	case load[accessRequest](f, accessRequestKey(a.ID)).Status != 0:
		return none{}, refuse(errRequestExists, field{"id", a.ID})
	}
	save(f, accessRequestKey(a.ID), accessRequest{id, a.Commitment, asked, 0})
	f.emit(access, eventAccessRequested, field{"id", a.ID}, field{"organisation", id}, field{"commitment", a.Commitment})
	return none{}, nil
}

type answerArgs struct {
	ID         words.Word `json:"id"`
	Commitment words.Word `json:"commitment"`
	Value      uint8      `json:"value"`
}

// answerAccess: a member relays the resident's answer: 1 granted, 2 refused, 3 expired, 4 withdrawn.
func answerAccess(f *frame, a answerArgs) (none, error) {
	id, _, err := f.activeCaller(0)
	request := load[accessRequest](f, accessRequestKey(a.ID))
	switch {
	case err != nil:
		return none{}, err
	case a.Commitment.IsZero():
		return none{}, refuse(errZeroValue)
	case request.Status == 0:
		return none{}, refuse(errUnknownRequest, field{"id", a.ID})
	case request.Status == answered:
		return none{}, refuse(errAlreadyAnswered, field{"id", a.ID})
	case a.Value == 0 || a.Value > lastAnswer:
		return none{}, refuse(errUnknownAnswer, field{"answer", a.Value})
	}
	request.Status, request.Value = answered, a.Value
	save(f, accessRequestKey(a.ID), request)
	f.emit(access, eventAccessAnswered, field{"id", a.ID}, field{"organisation", id}, field{"commitment", a.Commitment},
		field{"answer", a.Value})
	return none{}, nil
}

type recordReceiptsArgs struct {
	Root        words.Word   `json:"root"`
	FirstNumber words.Uint64 `json:"firstNumber"`
	Count       uint32       `json:"count"`
	HeadHash    words.Word   `json:"headHash"`
}

// recordReceipts puts the next receipts of the caller's organisation on the ledger. A suspended or departed member still owes its
// receipts, so they are taken from it too, and while the contract is frozen.
func recordReceipts(f *frame, a recordReceiptsArgs) (none, error) {
	id, o, err := f.callerOrganisation()
	if err != nil {
		return none{}, err
	}
	if a.Root.IsZero() || a.Count == 0 || a.HeadHash.IsZero() {
		return none{}, refuse(errZeroValue)
	}
	h := load[receiptHead](f, receiptHeadKey(id))
	if a.FirstNumber != h.NextNumber {
		return none{}, refuse(errWrongNumber, field{"given", a.FirstNumber}, field{"expected", h.NextNumber})
	}
	next := receiptHead{h.Batches + 1, a.FirstNumber + words.Uint64(a.Count), a.HeadHash, o.MSP}
	saveHead(f, receiptHeadKey(id), next, h.Endorser, o.MSP)
	recorded := receiptBatch{a.Root, a.FirstNumber, a.Count, words.Uint64(f.time)}
	saveOwn(f, receiptBatchKey(id, uint64(h.Batches)), recorded, o.MSP)
	f.emit(access, eventReceiptsRecorded, field{"organisation", id}, field{"batch", h.Batches}, field{"root", a.Root},
		field{"firstNumber", a.FirstNumber}, field{"count", a.Count}, field{"headHash", a.HeadHash})
	return none{}, nil
}

type openEmergencyArgs struct {
	ID              words.Word  `json:"id"`
	Commitment      words.Word  `json:"commitment"`
	MinutesOpen     uint16      `json:"minutesOpen"`
	First           words.Word  `json:"first"`
	FirstSignature  words.Bytes `json:"firstSignature"`
	Second          words.Word  `json:"second"`
	SecondSignature words.Bytes `json:"secondSignature"`
}

// openEmergency is break-glass: two different practitioners of the caller's organisation signed.
func openEmergency(f *frame, a openEmergencyArgs) (none, error) {
	id, _, err := f.activeCaller(0)
	if err != nil {
		return none{}, err
	}
	if err := openable(f, a); err != nil {
		return none{}, err
	}
	signed := message(kindEmergencyOpen, f.domain(access), id, a.ID, a.Commitment, words.FromUint64(uint64(a.MinutesOpen)))
	if err := requirePerson(f, a.First, id, signed, a.FirstSignature); err != nil {
		return none{}, err
	}
	if err := requirePerson(f, a.Second, id, signed, a.SecondSignature); err != nil {
		return none{}, err
	}
	endsAt := words.Uint64(f.time + uint64(a.MinutesOpen)*secondsMinute)
	reviewBy := words.Uint64(f.time + reviewPeriod)
	save(f, emergencyKey(a.ID), emergency{id, a.Commitment, endsAt, reviewBy, 0})
	f.emit(access, eventEmergencyOpened, field{"id", a.ID}, field{"organisation", id}, field{"commitment", a.Commitment},
		field{"first", a.First}, field{"second", a.Second}, field{"endsAt", endsAt}, field{"reviewBy", reviewBy})
	return none{}, nil
}

func openable(f *frame, a openEmergencyArgs) error {
	switch {
	case a.ID.IsZero() || a.Commitment.IsZero():
		return refuse(errZeroValue)
	case !load[emergency](f, emergencyKey(a.ID)).Organisation.IsZero():
		return refuse(errEmergencyExists, field{"id", a.ID})
	case a.MinutesOpen == 0 || a.MinutesOpen > maxMinutes:
		return refuse(errBadMinutes, field{"given", a.MinutesOpen}, field{"limit", maxMinutes})
	case a.First == a.Second:
		return refuse(errSamePerson, field{"practitioner", a.First})
	default:
		return nil
	}
}

// requirePerson: the practitioner holds a valid credential of the organisation and signed the message.
func requirePerson(f *frame, practitioner, organisation words.Word, signed []byte, signature words.Bytes) error {
	r, s, err := split(signature)
	if err != nil {
		return err
	}
	c := f.credential(practitioner)
	current := f.time >= uint64(c.NotBefore) && f.time < uint64(c.NotAfter) && c.Status == credentialActive
	if c.Organisation != organisation || !current {
		return refuse(errCredentialInvalid, field{"practitioner", practitioner})
	}
	if valid, _ := signedBy(c.X, c.Y, signed, r, s); !valid {
		return refuse(errBadSignature, field{"practitioner", practitioner})
	}
	return nil
}

type reviewArgs struct {
	ID      words.Word `json:"id"`
	Outcome uint8      `json:"outcome"`
}

// review: another member with the auditor role judges: 1 justified, 2 not justified. Past the deadline it is marked late.
func review(f *frame, a reviewArgs) (none, error) {
	id, _, err := f.activeCaller(roleAuditor)
	e := load[emergency](f, emergencyKey(a.ID))
	switch {
	case err != nil:
		return none{}, err
	case e.Organisation.IsZero():
		return none{}, refuse(errUnknownEmergency, field{"id", a.ID})
	case e.Organisation == id:
		return none{}, refuse(errOwnEmergency, field{"id", a.ID})
	case e.Outcome != 0:
		return none{}, refuse(errAlreadyReviewed, field{"id", a.ID})
	case a.Outcome == 0 || a.Outcome > lastOutcome:
		return none{}, refuse(errUnknownAnswer, field{"answer", a.Outcome})
	}
	e.Outcome = a.Outcome
	save(f, emergencyKey(a.ID), e)
	late := f.time > uint64(e.ReviewBy)
	f.emit(access, eventEmergencyReviewed, field{"id", a.ID}, field{"reviewer", id}, field{"outcome", a.Outcome}, field{"late", late})
	return none{}, nil
}
