package ledger

import "healthtrust/chaincode/words"

type evidenceItem struct {
	Kind       words.Word   `json:"kind"`
	Digest     words.Word   `json:"digest"`
	RecordedAt words.Uint64 `json:"recordedAt"`
}

// register counts what an organisation has written; Endorser is the MSP whose peers must endorse the next change.
type register struct {
	Count    words.Uint64 `json:"count"`
	Endorser string       `json:"endorser"`
}

func evidenceKey(id words.Word, number uint64) string {
	return key(evidence, "item", id.Hex(), numbered(number))
}

func evidenceCountKey(id words.Word) string { return key(evidence, "count", id.Hex()) }

type evidenceArgs struct {
	Kind   words.Word `json:"kind"`
	Digest words.Word `json:"digest"`
}

func recordEvidence(f *frame, a evidenceArgs) (none, error) {
	id, o, err := f.activeCaller(0)
	if err != nil {
		return none{}, err
	}
	if a.Kind.IsZero() || a.Digest.IsZero() {
		return none{}, refuse(errZeroValue)
	}
	counted := load[register](f, evidenceCountKey(id))
	number := counted.Count
	saveHead(f, evidenceCountKey(id), register{number + 1, o.MSP}, counted.Endorser, o.MSP)
	saveOwn(f, evidenceKey(id, uint64(number)), evidenceItem{a.Kind, a.Digest, words.Uint64(f.time)}, o.MSP)
	f.emit(evidence, eventEvidenceRecorded, field{"organisation", id}, field{"number", number}, field{"kind", a.Kind},
		field{"digest", a.Digest})
	return none{}, nil
}

type evidenceNumberArgs struct {
	Organisation words.Word   `json:"organisation"`
	Number       words.Uint64 `json:"number"`
}

func evidenceOf(f *frame, a evidenceNumberArgs) (evidenceItem, error) {
	item := load[evidenceItem](f, evidenceKey(a.Organisation, uint64(a.Number)))
	if item.Kind.IsZero() {
		return item, refuse(errUnknownEvidence, field{"organisation", a.Organisation}, field{"number", a.Number})
	}
	return item, nil
}

type registerArgs struct {
	Organisation words.Word `json:"organisation"`
}

func countOf(f *frame, a registerArgs) (words.Uint64, error) {
	return load[register](f, evidenceCountKey(a.Organisation)).Count, nil
}
