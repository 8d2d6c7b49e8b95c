package ledger

import "healthtrust/chaincode/words"

// What every contract below the alliance shares: who calls, and whether the contract is frozen.

const (
	roleCustodian = 1 << 0
	roleRegistrar = 1 << 2
	roleAuditor   = 1 << 3
)

func (f *frame) requireThawed(contract string) error {
	if isFrozen(f, f.addressOf(contract)) {
		return refuse(errContractFrozen)
	}
	return nil
}

// callerOrganisation is the organisation of the caller, whatever its status.
func (f *frame) callerOrganisation() (words.Word, organisation, error) {
	id, o := f.seatOf(f.caller.account)
	if id.IsZero() {
		return id, o, refuse(errNotAMember, field{"account", f.caller.account})
	}
	return id, o, nil
}

// activeCaller is the organisation of the caller, active and with all the role bits asked for.
func (f *frame) activeCaller(role uint32) (words.Word, organisation, error) {
	id, o, err := f.callerOrganisation()
	switch {
	case err != nil:
		return id, o, err
	case o.Status != statusActive:
		return id, o, refuse(errNotActive, field{"organisation", id})
	case o.Roles&role != role:
		return id, o, refuse(errRoleMissing, field{"organisation", id}, field{"role", role})
	default:
		return id, o, nil
	}
}
