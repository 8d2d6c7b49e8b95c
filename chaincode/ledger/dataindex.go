package ledger

import (
	"encoding/binary"

	"golang.org/x/crypto/sha3"

	"healthtrust/chaincode/words"
)

const (
	entryBytes   = 256
	packedOffset = 224
)

var entryKind = words.Kind("healthtrust/index-entry/v1")

type batch struct {
	Root          words.Word   `json:"root"`
	FirstSequence words.Uint64 `json:"firstSequence"`
	Count         uint32       `json:"count"`
	AnchoredAt    words.Uint64 `json:"anchoredAt"`
}

// indexHead is where an organisation stands; Endorser is the MSP whose peers must endorse the next change.
type indexHead struct {
	Batches      words.Uint64 `json:"batches"`
	NextSequence words.Uint64 `json:"nextSequence"`
	LastRoot     words.Word   `json:"lastRoot"`
	Endorser     string       `json:"endorser"`
}

func indexHeadKey(id words.Word) string { return key(dataIndex, "head", id.Hex()) }

func batchKey(id words.Word, number uint64) string {
	return key(dataIndex, "batch", id.Hex(), numbered(number))
}

func entriesDigestKey(id words.Word, number uint64) string {
	return key(dataIndex, "digest", id.Hex(), numbered(number))
}

type anchorBatchArgs struct {
	Root          words.Word   `json:"root"`
	FirstSequence words.Uint64 `json:"firstSequence"`
	Count         uint32       `json:"count"`
	PreviousRoot  words.Word   `json:"previousRoot"`
}

// anchorBatch anchors the root of the next entries of the caller's organisation, an active custodian.
func anchorBatch(f *frame, a anchorBatchArgs) (none, error) {
	_, _, _, err := appendBatch(f, a)
	return none{}, err
}

type anchorEntriesArgs struct {
	Root          words.Word   `json:"root"`
	FirstSequence words.Uint64 `json:"firstSequence"`
	Count         uint32       `json:"count"`
	PreviousRoot  words.Word   `json:"previousRoot"`
	Entries       words.Bytes  `json:"entries"`
}

// anchorEntries does the same with the entries themselves in the transaction and the event.
func anchorEntries(f *frame, a anchorEntriesArgs) (none, error) {
	id, o, number, err := appendBatch(f, anchorBatchArgs{a.Root, a.FirstSequence, a.Count, a.PreviousRoot})
	if err != nil {
		return none{}, err
	}
	if err := requireEntries(id, a); err != nil {
		return none{}, err
	}
	saveOwn(f, entriesDigestKey(id, number), keccak256(a.Entries), o.MSP)
	f.emit(dataIndex, eventEntriesAnchored, field{"organisation", id}, field{"batch", words.Uint64(number)},
		field{"root", a.Root}, field{"firstSequence", a.FirstSequence}, field{"count", a.Count}, field{"entries", a.Entries})
	return none{}, nil
}

func appendBatch(f *frame, a anchorBatchArgs) (id words.Word, o organisation, number uint64, err error) {
	if id, o, err = f.activeCaller(roleCustodian); err != nil {
		return id, o, 0, err
	}
	h := load[indexHead](f, indexHeadKey(id))
	switch {
	case a.Root.IsZero() || a.Count == 0:
		return id, o, 0, refuse(errZeroValue)
	case a.FirstSequence != h.NextSequence:
		return id, o, 0, refuse(errWrongSequence, field{"given", a.FirstSequence}, field{"expected", h.NextSequence})
	case a.PreviousRoot != h.LastRoot:
		return id, o, 0, refuse(errWrongPreviousRoot, field{"given", a.PreviousRoot}, field{"expected", h.LastRoot})
	}
	next := indexHead{h.Batches + 1, a.FirstSequence + words.Uint64(a.Count), a.Root, o.MSP}
	saveHead(f, indexHeadKey(id), next, h.Endorser, o.MSP)
	anchored := batch{a.Root, a.FirstSequence, a.Count, words.Uint64(f.time)}
	saveOwn(f, batchKey(id, uint64(h.Batches)), anchored, o.MSP)
	f.emit(dataIndex, eventBatchAnchored, field{"organisation", id}, field{"batch", h.Batches}, field{"root", a.Root},
		field{"firstSequence", a.FirstSequence}, field{"count", a.Count}, field{"previousRoot", a.PreviousRoot})
	return id, o, uint64(h.Batches), nil
}

// requireEntries: kind, organisation and sequence of each entry must be those of the batch; else the full list and the run of
// numbers could differ.
func requireEntries(id words.Word, a anchorEntriesArgs) error {
	given, expected := uint64(len(a.Entries)), uint64(a.Count)*entryBytes
	if given != expected {
		return refuse(errWrongLength, field{"given", words.Uint64(given)}, field{"expected", words.Uint64(expected)})
	}
	for i := range uint64(a.Count) {
		entry := a.Entries[i*entryBytes : (i+1)*entryBytes]
		own := words.Word(entry[:32]) == entryKind && words.Word(entry[32:64]) == id
		if !own || binary.BigEndian.Uint64(entry[packedOffset:]) != uint64(a.FirstSequence)+i {
			return refuse(errWrongEntry, field{"position", words.Uint64(i)})
		}
	}
	return nil
}

type batchArgs struct {
	Organisation words.Word   `json:"organisation"`
	Batch        words.Uint64 `json:"batch"`
}

func batchOf(f *frame, a batchArgs) (batch, error) {
	b := load[batch](f, batchKey(a.Organisation, uint64(a.Batch)))
	if b.Count == 0 {
		return b, unknownBatch(a)
	}
	return b, nil
}

func entriesDigestOf(f *frame, a batchArgs) (words.Word, error) {
	return load[words.Word](f, entriesDigestKey(a.Organisation, uint64(a.Batch))), nil
}

type indexHeadView struct {
	Batches      words.Uint64 `json:"batches"`
	NextSequence words.Uint64 `json:"nextSequence"`
	LastRoot     words.Word   `json:"lastRoot"`
}

func indexHeadOf(f *frame, a registerArgs) (indexHeadView, error) {
	h := load[indexHead](f, indexHeadKey(a.Organisation))
	return indexHeadView{h.Batches, h.NextSequence, h.LastRoot}, nil
}

func unknownBatch(a batchArgs) error {
	return refuse(errUnknownBatch, field{"organisation", a.Organisation}, field{"batch", a.Batch})
}

// keccak256 is the digest that the same call has on an EVM ledger.
func keccak256(data []byte) (digest words.Word) {
	h := sha3.NewLegacyKeccak256()
	h.Write(data)
	h.Sum(digest[:0])
	return digest
}
