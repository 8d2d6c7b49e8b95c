package ledger

import "healthtrust/chaincode/words"

const maxElements = 256

type registeredSchema struct {
	Elements     uint16     `json:"elements"`
	SupersededBy words.Word `json:"supersededBy"`
	By           words.Word `json:"by"`
}

func schemaKey(id words.Word) string { return key(schema, "schema", id.Hex()) }

type registerSchemaArgs struct {
	SchemaID   words.Word `json:"schemaId"`
	Elements   uint16     `json:"elements"`
	Supersedes words.Word `json:"supersedes"`
}

func registerSchema(f *frame, a registerSchemaArgs) (none, error) {
	caller, _, err := f.activeCaller(0)
	switch {
	case err != nil:
		return none{}, err
	case a.SchemaID.IsZero():
		return none{}, refuse(errZeroValue)
	case load[registeredSchema](f, schemaKey(a.SchemaID)).Elements != 0:
		return none{}, refuse(errSchemaExists, field{"schemaId", a.SchemaID})
	case a.Elements == 0 || a.Elements > maxElements:
		return none{}, refuse(errBadElements, field{"elements", a.Elements})
	}
	if !a.Supersedes.IsZero() {
		if err := supersede(f, a.Supersedes, a.SchemaID, caller); err != nil {
			return none{}, err
		}
	}
	save(f, schemaKey(a.SchemaID), registeredSchema{Elements: a.Elements, By: caller})
	f.emit(schema, eventSchemaRegistered, field{"schemaId", a.SchemaID}, field{"organisation", caller},
		field{"elements", a.Elements}, field{"supersedes", a.Supersedes})
	return none{}, nil
}

func supersede(f *frame, old, id, caller words.Word) error {
	s := load[registeredSchema](f, schemaKey(old))
	switch {
	case s.Elements == 0:
		return refuse(errUnknownSchema, field{"schemaId", old})
	case s.By != caller:
		return refuse(errNotTheOwner, field{"schemaId", old}, field{"owner", s.By})
	case !s.SupersededBy.IsZero():
		return refuse(errAlreadySuperseded, field{"schemaId", old}, field{"by", s.SupersededBy})
	}
	s.SupersededBy = id
	save(f, schemaKey(old), s)
	return nil
}

type schemaArgs struct {
	SchemaID words.Word `json:"schemaId"`
}

func schemaOf(f *frame, a schemaArgs) (registeredSchema, error) {
	return load[registeredSchema](f, schemaKey(a.SchemaID)), nil
}
