package ledger

import (
	"healthtrust/chaincode/national"
	"healthtrust/chaincode/words"
)

// The national algorithms as views, as contracts/src/SM2Verifier.sol offers them.

type verifyArgs struct {
	E words.Word `json:"e"`
	R words.Word `json:"r"`
	S words.Word `json:"s"`
	X words.Word `json:"x"`
	Y words.Word `json:"y"`
}

func verify(_ *frame, a verifyArgs) (bool, error) {
	return national.Verify(a.E, a.R, a.S, a.X, a.Y), nil
}

type verifyMessageArgs struct {
	Z       words.Word  `json:"z"`
	Message words.Bytes `json:"message"`
	R       words.Word  `json:"r"`
	S       words.Word  `json:"s"`
	X       words.Word  `json:"x"`
	Y       words.Word  `json:"y"`
}

type verified struct {
	Valid bool       `json:"valid"`
	E     words.Word `json:"e"`
}

func verifyMessage(_ *frame, a verifyMessageArgs) (verified, error) {
	valid, e := national.VerifyMessage(a.Z, a.Message, a.R, a.S, a.X, a.Y)
	return verified{valid, e}, nil
}

type hashArgs struct {
	Data words.Bytes `json:"data"`
}

func hash(_ *frame, a hashArgs) (words.Word, error) { return national.Hash(a.Data), nil }

type hmacArgs struct {
	Key     words.Word  `json:"key"`
	Message words.Bytes `json:"message"`
}

func hmac(_ *frame, a hmacArgs) (words.Word, error) { return national.HMAC(a.Key, a.Message), nil }

type pointArgs struct {
	X words.Word `json:"x"`
	Y words.Word `json:"y"`
}

func zOf(_ *frame, a pointArgs) (words.Word, error) { return national.ZOf(a.X, a.Y), nil }

func isOnCurve(_ *frame, a pointArgs) (bool, error) { return national.OnCurve(a.X, a.Y), nil }
