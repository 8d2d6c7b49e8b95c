package ledger

import (
	"healthtrust/chaincode/national"
	"healthtrust/chaincode/words"
)

// The words that people and organisations sign, docs/formats.md §4.
var (
	kindDomain           = words.Kind("healthtrust/domain/v1")
	kindKeyBind          = words.Kind("healthtrust/key-bind/v1")
	kindKeyAttest        = words.Kind("healthtrust/key-attest/v1")
	kindKeyRotate        = words.Kind("healthtrust/key-rotate/v1")
	kindKeyRecover       = words.Kind("healthtrust/key-recover/v1")
	kindKeyVeto          = words.Kind("healthtrust/key-veto/v1")
	kindOrganisationKey  = words.Kind("healthtrust/organisation-key/v1")
	kindAllianceLeave    = words.Kind("healthtrust/alliance-leave/v1")
	kindAllianceProposal = words.Kind("healthtrust/alliance-proposal/v1")
	kindAllianceVote     = words.Kind("healthtrust/alliance-vote/v1")
	kindLedgerAccount    = words.Kind("healthtrust/ledger-account/v1")
	kindConsentGrant     = words.Kind("healthtrust/consent-grant/v1")
	kindConsentAmend     = words.Kind("healthtrust/consent-amend/v1")
	kindConsentRevoke    = words.Kind("healthtrust/consent-revoke/v1")
	kindCredentialIssue  = words.Kind("healthtrust/credential-issue/v1")
	kindCredentialRevoke = words.Kind("healthtrust/credential-revoke/v1")
	kindEmergencyOpen    = words.Kind("healthtrust/emergency-open/v1")
)

// message is words one after the other.
func message(ws ...words.Word) []byte {
	packed := make([]byte, 0, 32*len(ws))
	for _, w := range ws {
		packed = append(packed, w[:]...)
	}
	return packed
}

// signedBy tells whether r‖s over the message is by the key (x, y); digest is what was signed.
func signedBy(x, y words.Word, message []byte, r, s words.Word) (valid bool, digest words.Word) {
	return national.VerifyMessage(national.ZOf(x, y), message, r, s, x, y)
}
