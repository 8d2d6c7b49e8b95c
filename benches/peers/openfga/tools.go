//go:build tools

// Package openfga pins the authorisation server that benches/decisions.py runs beside our gate.
package openfga

import _ "github.com/openfga/openfga/cmd/openfga"
