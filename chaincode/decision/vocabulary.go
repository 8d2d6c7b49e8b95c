package decision

// How many words core/vocabulary.json has, and the one purpose that decisions name; a test compares them with the file.
const (
	purposes   = 10
	categories = 16
	// Roles is how many roles a credential can name, one bit each.
	Roles  = 8
	patrqt = 4
)
