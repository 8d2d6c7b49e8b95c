package ledger

import "healthtrust/chaincode/words"

// registered is which contract serves a duty.
type registered struct {
	Name    words.Word    `json:"name"`
	Target  words.Address `json:"target"`
	Version uint32        `json:"version"`
	Frozen  bool          `json:"frozen"`
	Since   words.Uint64  `json:"since"`
}

func dutyKey(name words.Word) string { return key(registry, "entry", name.Hex()) }

func frozenKey(target words.Address) string { return key(registry, "frozen", target.Hex()) }

func dutiesKey() string { return key(registry, "names") }

type publishArgs struct {
	Name    words.Word    `json:"name"`
	Target  words.Address `json:"target"`
	Version uint32        `json:"version"`
}

func publish(f *frame, a publishArgs) (none, error) {
	if err := f.onlyAlliance(); err != nil {
		return none{}, err
	}
	if _, there := f.contractAt(a.Target); !there {
		return none{}, refuse(errNoCode, field{"target", a.Target})
	}
	current := load[registered](f, dutyKey(a.Name)).Version
	if a.Version <= current {
		return none{}, refuse(errVersionNotAbove, field{"name", a.Name}, field{"version", a.Version}, field{"current", current})
	}
	if current == 0 {
		save(f, dutiesKey(), append(load[[]words.Word](f, dutiesKey()), a.Name))
	}
	save(f, dutyKey(a.Name), registered{a.Name, a.Target, a.Version, isFrozen(f, a.Target), words.Uint64(f.time)})
	f.emit(registry, eventPublished, field{"name", a.Name}, field{"target", a.Target}, field{"version", a.Version})
	return none{}, nil
}

type dutyArgs struct {
	Name words.Word `json:"name"`
}

func freeze(f *frame, a dutyArgs) (none, error) {
	return none{}, setFrozen(f, a.Name, true, eventFrozen)
}

func thaw(f *frame, a dutyArgs) (none, error) {
	return none{}, setFrozen(f, a.Name, false, eventThawed)
}

func setFrozen(f *frame, name words.Word, frozen bool, event string) error {
	if err := f.onlyAlliance(); err != nil {
		return err
	}
	duty, err := f.duty(name)
	if err != nil {
		return err
	}
	if duty.Frozen == frozen {
		return refuse(errWrongState, field{"name", name}, field{"frozen", frozen})
	}
	duty.Frozen = frozen
	save(f, dutyKey(name), duty)
	save(f, frozenKey(duty.Target), frozen)
	f.emit(registry, event, field{"name", name}, field{"target", duty.Target})
	return nil
}

func registryAlliance(f *frame, _ none) (words.Address, error) { return f.addressOf(alliance), nil }

func addressOfDuty(f *frame, a dutyArgs) (words.Address, error) {
	duty, err := f.duty(a.Name)
	return duty.Target, err
}

type targetArgs struct {
	Target words.Address `json:"target"`
}

func isFrozenView(f *frame, a targetArgs) (bool, error) { return isFrozen(f, a.Target), nil }

func allDuties(f *frame, _ none) ([]registered, error) {
	list := []registered{}
	for _, name := range load[[]words.Word](f, dutiesKey()) {
		list = append(list, load[registered](f, dutyKey(name)))
	}
	return list, nil
}

func isFrozen(f *frame, target words.Address) bool { return load[bool](f, frozenKey(target)) }

func (f *frame) duty(name words.Word) (registered, error) {
	duty := load[registered](f, dutyKey(name))
	if duty.Version == 0 {
		return duty, refuse(errUnknownName, field{"name", name})
	}
	return duty, nil
}

func (f *frame) onlyAlliance() error {
	if f.caller.account != f.addressOf(alliance) {
		return refuse(errOnlyAlliance, field{"caller", f.caller.account})
	}
	return nil
}
