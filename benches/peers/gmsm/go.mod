module healthtrust/benches/gmsm

go 1.24

require github.com/emmansun/gmsm v0.33.0

require golang.org/x/crypto v0.41.0 // indirect
