package ledger

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"healthtrust/chaincode/internal/vectors"
	"healthtrust/chaincode/words"
)

func (w *world) batch(root, previous words.Word, first, count uint64) object {
	return object{"root": root, "firstSequence": first, "count": count, "previousRoot": previous}
}

func entriesOf(organisation words.Word, first, count uint64) words.Bytes {
	all := words.Bytes{}
	for i := range count {
		entry := make([]byte, entryBytes)
		copy(entry, entryKind[:])
		copy(entry[32:], organisation[:])
		binary.BigEndian.PutUint64(entry[packedOffset:], first+i)
		all = append(all, entry...)
	}
	return all
}

func TestAnchoring(t *testing.T) {
	w := newWorld(t)
	reader := w.member("reader", "BMSP", 2, w.first)
	one, two := words.Kind("root one"), words.Kind("root two")
	w.refuses(errRoleMissing, reader, "DataIndex.anchorBatch", w.batch(one, words.Word{}, 0, 3))
	w.refuses(errZeroValue, w.first, "DataIndex.anchorBatch", w.batch(words.Word{}, words.Word{}, 0, 3))
	w.refuses(errZeroValue, w.first, "DataIndex.anchorBatch", w.batch(one, words.Word{}, 0, 0))
	w.refuses(errWrongSequence, w.first, "DataIndex.anchorBatch", w.batch(one, words.Word{}, 1, 3))
	w.must(w.first, "DataIndex.anchorBatch", w.batch(one, words.Word{}, 0, 3))
	w.refuses(errWrongPreviousRoot, w.first, "DataIndex.anchorBatch", w.batch(two, words.Word{}, 3, 2))
	full := with(w.batch(two, one, 3, 2), "entries", entriesOf(w.first.id, 3, 2))
	w.refuses(errWrongLength, w.first, "DataIndex.anchorEntries", with(full, "entries", words.Bytes{1}))
	w.refuses(errWrongEntry, w.first, "DataIndex.anchorEntries", with(full, "entries", entriesOf(w.first.id, 2, 2)))
	w.refuses(errWrongEntry, w.first, "DataIndex.anchorEntries", with(full, "entries", entriesOf(reader.id, 3, 2)))
	otherKind := entriesOf(w.first.id, 3, 2)
	otherKind[0]++
	w.refuses(errWrongEntry, w.first, "DataIndex.anchorEntries", with(full, "entries", otherKind))
	w.must(w.first, "DataIndex.anchorEntries", full)
	if got := w.events(); len(got) != 2 || got[0] != "DataIndex.BatchAnchored" || got[1] != "DataIndex.EntriesAnchored" {
		t.Errorf("events %v", got)
	}
	var h indexHeadView
	w.read(&h, "DataIndex.headOf", object{"organisation": w.first.id})
	if h.Batches != 2 || h.NextSequence != 5 || h.LastRoot != two {
		t.Errorf("%+v", h)
	}
	var b batch
	w.read(&b, "DataIndex.batchOf", object{"organisation": w.first.id, "batch": 1})
	if b.Root != two || b.FirstSequence != 3 || b.Count != 2 || uint64(b.AnchoredAt) != uint64(w.now.Unix()) {
		t.Errorf("%+v", b)
	}
	w.refuses(errUnknownBatch, w.first, "DataIndex.batchOf", object{"organisation": w.first.id, "batch": 2})
	var digest words.Word
	w.read(&digest, "DataIndex.entriesDigestOf", object{"organisation": w.first.id, "batch": 1})
	if digest != keccak256(entriesOf(w.first.id, 3, 2)) {
		t.Errorf("digest %x", digest)
	}
}

// TestEntryVectors: what core makes is what anchorEntries takes.
func TestEntryVectors(t *testing.T) {
	var v struct {
		Entries []struct {
			Organisation words.Word
			Sequence     uint64
			Bytes        words.Bytes
		}
	}
	vectors.Read(t, "entry", &v)
	for _, e := range v.Entries {
		args := anchorEntriesArgs{FirstSequence: words.Uint64(e.Sequence), Count: 1, Entries: e.Bytes}
		if err := requireEntries(e.Organisation, args); err != nil {
			t.Errorf("%x: %v", e.Bytes[:32], err)
		}
	}
	if len(v.Entries) == 0 {
		t.Error("no entry")
	}
}

func TestSchemas(t *testing.T) {
	w := newWorld(t)
	b := w.member("hospital-b", "BMSP", 1, w.first)
	one, two := words.Kind("schema one"), words.Kind("schema two")
	register := func(id words.Word, elements int, supersedes words.Word) object {
		return object{"schemaId": id, "elements": elements, "supersedes": supersedes}
	}
	w.refuses(errZeroValue, w.first, "Schema.register", register(words.Word{}, 1, words.Word{}))
	w.refuses(errBadElements, w.first, "Schema.register", register(one, 257, words.Word{}))
	w.refuses(errUnknownSchema, w.first, "Schema.register", register(two, 2, one))
	w.must(w.first, "Schema.register", register(one, 256, words.Word{}))
	w.refuses(errSchemaExists, w.first, "Schema.register", register(one, 1, words.Word{}))
	w.refuses(errNotTheOwner, b, "Schema.register", register(two, 2, one))
	w.must(w.first, "Schema.register", register(two, 2, one))
	w.refuses(errAlreadySuperseded, w.first, "Schema.register", register(words.Kind("three"), 2, one))
	var s registeredSchema
	if w.read(&s, "Schema.schemaOf", object{"schemaId": one}); s.Elements != 256 || s.SupersededBy != two || s.By != w.first.id {
		t.Errorf("%+v", s)
	}
}

func TestEvidence(t *testing.T) {
	w := newWorld(t)
	kind, digest := words.Kind("kind"), words.Kind("digest")
	w.refuses(errZeroValue, w.first, "Evidence.record", object{"kind": kind, "digest": words.Word{}})
	w.must(w.first, "Evidence.record", object{"kind": kind, "digest": digest})
	w.must(w.first, "Evidence.record", object{"kind": kind, "digest": kind})
	var count words.Uint64
	if w.read(&count, "Evidence.countOf", object{"organisation": w.first.id}); count != 2 {
		t.Errorf("%d", count)
	}
	var item evidenceItem
	w.read(&item, "Evidence.evidenceOf", object{"organisation": w.first.id, "number": 0})
	if item.Digest != digest || uint64(item.RecordedAt) != uint64(w.now.Unix()) {
		t.Errorf("%+v", item)
	}
	w.refuses(errUnknownEvidence, w.first, "Evidence.evidenceOf", object{"organisation": w.first.id, "number": 2})
}

func TestRequestsAndAnswers(t *testing.T) {
	w := newWorld(t)
	id, commitment := words.Kind("request"), words.Kind("commitment")
	answer := func(value int) object { return object{"id": id, "commitment": commitment, "value": value} }
	w.refuses(errZeroValue, w.first, "Access.request", object{"id": id, "commitment": words.Word{}})
	w.refuses(errUnknownRequest, w.first, "Access.answer", answer(1))
	w.must(w.first, "Access.request", object{"id": id, "commitment": commitment})
	w.refuses(errRequestExists, w.first, "Access.request", object{"id": id, "commitment": commitment})
	w.refuses(errUnknownAnswer, w.first, "Access.answer", answer(0))
	w.refuses(errUnknownAnswer, w.first, "Access.answer", answer(5))
	w.refuses(errZeroValue, w.first, "Access.answer", with(answer(1), "commitment", words.Word{}))
	w.must(w.first, "Access.answer", answer(4))
	w.refuses(errAlreadyAnswered, w.first, "Access.answer", answer(1))
	var r accessRequest
	w.read(&r, "Access.requestOf", object{"id": id})
	if r.Organisation != w.first.id || r.Commitment != commitment || r.Status != answered || r.Value != 4 {
		t.Errorf("%+v", r)
	}
}

func TestReceiptsAreOwedByTheSuspendedToo(t *testing.T) {
	w := newWorld(t)
	b := w.member("hospital-b", "BMSP", 1, w.first)
	w.decide(actionSuspend, words.EncodeABI(b.id), w.first, b)
	w.freeze(access)
	root, head := words.Kind("root"), words.Kind("head")
	args := object{"root": root, "firstNumber": 0, "count": 2, "headHash": head}
	w.refuses(errNotAMember, w.party("nobody", "BMSP"), "Access.record", args)
	w.refuses(errZeroValue, b, "Access.record", with(args, "headHash", words.Word{}))
	w.refuses(errWrongNumber, b, "Access.record", with(args, "firstNumber", 1))
	w.must(b, "Access.record", args)
	var r receiptsView
	if w.read(&r, "Access.receiptsOf", object{"organisation": b.id}); r.NextNumber != 2 || r.HeadHash != head {
		t.Errorf("%+v", r)
	}
	var batch receiptBatch
	if w.read(&batch, "Access.receiptBatchOf", object{"organisation": b.id, "batch": 0}); batch.Root != root || batch.Count != 2 {
		t.Errorf("%+v", batch)
	}
	w.refuses(errUnknownBatch, b, "Access.receiptBatchOf", object{"organisation": b.id, "batch": 1})
}

func (w *world) breakGlass(minutes uint64, first, second *party) object {
	id, commitment := words.Kind("emergency"), words.Kind("commitment")
	ws := []words.Word{kindEmergencyOpen, w.domain(access), w.first.id, id, commitment, words.FromUint64(minutes)}
	return object{
		"id": id, "commitment": commitment, "minutesOpen": minutes, "first": first.id, "firstSignature": first.sign(w.t, ws...),
		"second": second.id, "secondSignature": second.sign(w.t, ws...),
	}
}

func TestBreakGlass(t *testing.T) {
	w := newWorld(t)
	auditor := w.member("auditor", "BMSP", roleAuditor, w.first)
	one, two := w.party("doctor one", "AMSP"), w.party("doctor two", "AMSP")
	w.must(w.first, "Identity.issueCredential", w.issue(w.first, one, 0))
	args := w.breakGlass(1440, one, two)
	w.refuses(errCredentialInvalid, w.first, "Access.openEmergency", args)
	foreign := w.party("foreign", "BMSP")
	w.must(auditor, "Identity.issueCredential", w.issue(auditor, foreign, 0))
	w.refuses(errCredentialInvalid, w.first, "Access.openEmergency", w.breakGlass(1440, one, foreign))
	w.must(w.first, "Identity.issueCredential", w.issue(w.first, two, 0))
	w.refuses(errBadMinutes, w.first, "Access.openEmergency", w.breakGlass(1441, one, two))
	w.refuses(errBadMinutes, w.first, "Access.openEmergency", w.breakGlass(0, one, two))
	w.refuses(errSamePerson, w.first, "Access.openEmergency", w.breakGlass(60, one, one))
	w.refuses(errBadSignature, w.first, "Access.openEmergency", with(args, "secondSignature", args["firstSignature"]))
	w.refuses(errBadSignatureLength, w.first, "Access.openEmergency", with(args, "firstSignature", words.Bytes{}))
	w.refuses(errZeroValue, w.first, "Access.openEmergency", with(args, "id", words.Word{}))
	w.must(w.first, "Access.openEmergency", args)
	w.refuses(errEmergencyExists, w.first, "Access.openEmergency", args)
	w.pass(100 * dayLength)
	w.refuses(errCredentialInvalid, w.first, "Access.openEmergency", with(args, "id", words.Kind("too late")))
	w.pass(-100 * dayLength)
	judged := func(outcome int) object { return object{"id": args["id"], "outcome": outcome} }
	w.refuses(errOwnEmergency, w.first, "Access.review", judged(1))
	w.refuses(errUnknownEmergency, auditor, "Access.review", object{"id": words.Kind("other"), "outcome": 1})
	w.refuses(errUnknownAnswer, auditor, "Access.review", judged(3))
	w.pass((reviewPeriod + 1) * time.Second)
	w.must(auditor, "Access.review", judged(2))
	if late := w.abi.events(t, w.last.events)[0].Args["late"]; late != true {
		t.Errorf("late: %v", late)
	}
	w.refuses(errAlreadyReviewed, auditor, "Access.review", judged(1))
	var e emergency
	w.read(&e, "Access.emergencyOf", object{"id": args["id"]})
	if e.Outcome != 2 || e.ReviewBy-e.EndsAt != reviewPeriod-1440*60 {
		t.Errorf("%+v", e)
	}
}

func TestApplications(t *testing.T) {
	w := newWorld(t)
	b := w.member("hospital-b", "BMSP", 1, w.first)
	id, word := words.Kind("application"), words.Kind("word")
	moving := func(to int) object { return object{"id": id, "toState": to, "digest": word} }
	w.refuses(errZeroValue, b, "Workflow.submit", object{"id": id, "kind": word, "packageDigest": words.Word{}})
	w.refuses(errIllegalMove, b, "Workflow.move", moving(stepApproved))
	w.must(b, "Workflow.submit", object{"id": id, "kind": word, "packageDigest": word})
	w.refuses(errApplicationExists, b, "Workflow.submit", object{"id": id, "kind": word, "packageDigest": word})
	w.refuses(errNotTheApplicant, w.first, "Workflow.move", moving(stepWithdrawn))
	w.refuses(errRevertedWithoutData, w.first, "Workflow.move", moving(stepWithdrawn+1))
	w.must(w.first, "Workflow.move", moving(stepApproved))
	w.must(b, "Workflow.move", moving(stepWithdrawn))
	var a application
	if w.read(&a, "Workflow.applicationOf", object{"id": id}); a.Applicant != b.id || a.Step != stepWithdrawn || a.Digest != word {
		t.Errorf("%+v", a)
	}
	w.refuses(errRevertedWithoutData, b, "Workflow.allowed", object{"from": 7, "to": 0})
}

// TestMovesAreTheTable: the same table as the contract's test reads.
func TestMovesAreTheTable(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "tests", "contracts", "workflow.json"))
	if err != nil {
		t.Fatal(err)
	}
	var table struct {
		Steps []string
		Moves map[string][]string
	}
	if err := json.Unmarshal(data, &table); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	for from, name := range table.Steps {
		for to, target := range table.Steps {
			var may bool
			w.read(&may, "Workflow.allowed", object{"from": from, "to": to})
			if may != contains(table.Moves[name], target) {
				t.Errorf("%s to %s: %v", name, target, may)
			}
		}
	}
	if len(table.Steps) != len(moves) {
		t.Errorf("%d steps", len(table.Steps))
	}
}
