module healthtrust/gmsm

go 1.24.0

require (
	github.com/emmansun/gmsm v0.33.0
	golang.org/x/crypto v0.41.0
)
