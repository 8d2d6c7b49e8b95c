package ledger

import "healthtrust/chaincode/words"

type idArgs struct {
	ID words.Word `json:"id"`
}

func requestOf(f *frame, a idArgs) (accessRequest, error) {
	return load[accessRequest](f, accessRequestKey(a.ID)), nil
}

type receiptsView struct {
	NextNumber words.Uint64 `json:"nextNumber"`
	HeadHash   words.Word   `json:"headHash"`
}

func receiptsOf(f *frame, a registerArgs) (receiptsView, error) {
	h := load[receiptHead](f, receiptHeadKey(a.Organisation))
	return receiptsView{h.NextNumber, h.HeadHash}, nil
}

func receiptBatchOf(f *frame, a batchArgs) (receiptBatch, error) {
	b := load[receiptBatch](f, receiptBatchKey(a.Organisation, uint64(a.Batch)))
	if b.Count == 0 {
		return b, unknownBatch(a)
	}
	return b, nil
}

func emergencyOf(f *frame, a idArgs) (emergency, error) {
	return load[emergency](f, emergencyKey(a.ID)), nil
}
