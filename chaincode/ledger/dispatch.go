package ledger

import (
	"reflect"
	"strings"

	"healthtrust/chaincode/words"
)

// none is no argument, or no answer.
type none struct{}

// MarshalJSON implements json.Marshaler.
func (none) MarshalJSON() ([]byte, error) { return []byte("null"), nil }

// reader fills a method's arguments from what the caller sent.
type reader func(into any) error

// method is one entry of the dispatch table.
type method struct {
	contract, name string
	readOnly       bool
	args           reflect.Type
	run            func(f *frame, read reader) (any, error)
}

const selectorBytes = 4

// The table by "<Contract>.<method>", and by contract and selector what votes can call. Filled at start because votes call back
// into the table.
var (
	methods    = map[string]method{}
	bySelector = map[string]method{}
)

func init() {
	for _, m := range table() {
		methods[m.contract+"."+m.name] = m
		if m.flat() {
			bySelector[m.contract+string(selector(m.contract, m.name))] = m
		}
	}
}

// table is every method there is, contract by contract in the order of docs/ledger.md.
func table() []method {
	return []method{
		view(sm2Verifier, "verify", verify),
		view(sm2Verifier, "verifyMessage", verifyMessage),
		view(sm2Verifier, "hash", hash),
		view(sm2Verifier, "hmac", hmac),
		view(sm2Verifier, "zOf", zOf),
		view(sm2Verifier, "isOnCurve", isOnCurve),

		write(alliance, foundMethod, found),
		write(alliance, "propose", propose),
		write(alliance, "vote", vote),
		write(alliance, "join", join),
		write(alliance, "leave", leave),
		write(alliance, "rotateKey", rotateOrganisationKey),
		write(alliance, "setAccount", setAccount),
		view(alliance, "ledgerId", ledgerIDOf),
		view(alliance, "domain", domainOf(alliance)),
		view(alliance, "name", nameOf),
		view(alliance, "governance", governanceOf),
		view(alliance, "activeMembers", activeMembers),
		view(alliance, "organisation", organisationOf),
		view(alliance, "keyOf", organisationKeyOf),
		view(alliance, "organisationOf", organisationOfAccount),
		view(alliance, "statusOf", statusOf),
		view(alliance, "memberOf", memberOf),
		view(alliance, "proposalOf", proposalOf),

		write(registry, "publish", publish),
		write(registry, "freeze", freeze),
		write(registry, "thaw", thaw),
		view(registry, "alliance", registryAlliance),
		view(registry, "addressOf", addressOfDuty),
		view(registry, "isFrozen", isFrozenView),
		view(registry, "all", allDuties),

		write(identity, "bindKey", bindKey).whenThawed(),
		write(identity, "rotateKey", rotateSubjectKey).whenThawed(),
		write(identity, "requestRecovery", requestRecovery).whenThawed(),
		write(identity, "vetoRecovery", vetoRecovery),
		write(identity, "recoverKey", recoverKey).whenThawed(),
		write(identity, "issueCredential", issueCredential).whenThawed(),
		write(identity, "revokeCredential", revokeCredential),
		view(identity, "keyOf", subjectKeyOf),
		view(identity, "nonceOf", subjectNonceOf),
		view(identity, "recoveryOf", recoveryOf),
		view(identity, "credentialOf", credentialOf),
		view(identity, "credentialState", credentialStateOf),
		view(identity, "credentialNonceOf", credentialNonceOf),
		view(identity, "RECOVERY_DELAY", recoveryDelayOf),
		view(identity, "domain", domainOf(identity)),

		write(schema, "register", registerSchema).whenThawed(),
		view(schema, "schemaOf", schemaOf),

		write(dataIndex, "anchorBatch", anchorBatch).whenThawed(),
		write(dataIndex, "anchorEntries", anchorEntries).whenThawed(),
		view(dataIndex, "batchOf", batchOf),
		view(dataIndex, "entriesDigestOf", entriesDigestOf),
		view(dataIndex, "headOf", indexHeadOf),

		write(consent, "grant", grant).whenThawed(),
		write(consent, "amend", amend).whenThawed(),
		write(consent, "revoke", revoke),
		write(consent, "spend", spend).whenThawed(),
		view(consent, "consentOf", consentOf),
		view(consent, "nonceOf", consentNonceOf),
		view(consent, "statesOf", statesOf).whenThawed(),
		view(consent, "decide", decide).whenThawed(),
		view(consent, "decideMany", decideMany).whenThawed(),
		view(consent, "domain", domainOf(consent)),

		write(access, "request", requestAccess).whenThawed(),
		write(access, "answer", answerAccess).whenThawed(),
		write(access, "record", recordReceipts),
		write(access, "openEmergency", openEmergency).whenThawed(),
		write(access, "review", review),
		view(access, "requestOf", requestOf),
		view(access, "receiptsOf", receiptsOf),
		view(access, "receiptBatchOf", receiptBatchOf),
		view(access, "emergencyOf", emergencyOf),
		view(access, "domain", domainOf(access)),

		write(workflow, "submit", submit).whenThawed(),
		write(workflow, "move", move).whenThawed(),
		view(workflow, "allowed", allowed),
		view(workflow, "applicationOf", applicationOf),

		write(evidence, "record", recordEvidence).whenThawed(),
		view(evidence, "evidenceOf", evidenceOf),
		view(evidence, "countOf", countOf),
	}
}

func write[A, R any](contract, name string, run func(*frame, A) (R, error)) method {
	return method{contract, name, false, reflect.TypeFor[A](), func(f *frame, read reader) (any, error) {
		var a A
		if err := read(&a); err != nil {
			return nil, err
		}
		return run(f, a)
	}}
}

func view[A, R any](contract, name string, run func(*frame, A) (R, error)) method {
	m := write(contract, name, run)
	m.readOnly = true
	return m
}

// whenThawed lets the method refuse while its contract is frozen.
func (m method) whenThawed() method {
	run := m.run
	m.run = func(f *frame, read reader) (any, error) {
		return run(f, func(into any) error {
			if err := read(into); err != nil {
				return err
			}
			return f.requireThawed(m.contract)
		})
	}
	return m
}

// signature is the method as Solidity names it.
func (m method) signature() string {
	return m.name + "(" + strings.Join(words.ABITypes(m.args), ",") + ")"
}

// flat tells whether a vote can carry the arguments: nested ones only readers have, which a vote has no use for.
func (m method) flat() bool {
	for i := range m.args.NumField() {
		if _, flat := words.ABIType(m.args.Field(i).Type); !flat {
			return false
		}
	}
	return true
}

// selector is how an encoded call names its method.
func selector(contract, name string) []byte {
	digest := keccak256([]byte(methods[contract+"."+name].signature()))
	return digest[:selectorBytes]
}

// selected is the method that the first bytes of an encoded call name.
func selected(contract string, data []byte) (method, bool) {
	if len(data) < selectorBytes {
		return method{}, false
	}
	m, there := bySelector[contract+string(data[:selectorBytes])]
	return m, there
}

// abiReader reads the arguments of a call that a vote carries.
func abiReader(data []byte) reader {
	return func(into any) error {
		if words.DecodeABI(data, into) != nil {
			return refuse(errRevertedWithoutData)
		}
		return nil
	}
}

// jsonReader reads the arguments of a proposal.
func jsonReader(m method, data []byte) reader {
	return func(into any) error {
		if err := words.DecodeJSON(data, into); err != nil {
			return invalid("%s.%s: %v", m.contract, m.name, err)
		}
		return nil
	}
}
