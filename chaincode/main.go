// Command chaincode serves the ledger's contracts to Fabric peers (chaincode as a service).
//
// Environment: CORE_CHAINCODE_ID_NAME is the package id that the peer prints at installation, CHAINCODE_SERVER_ADDRESS host:port.
// CHAINCODE_TLS_KEY_FILE, CHAINCODE_TLS_CERT_FILE and, to let only peers in, CHAINCODE_CLIENT_CA_FILE are PEM files;
// CHAINCODE_TLS_DISABLED=true serves without TLS. CHAINCODE_CLOCK_SKEW_SECONDS (60) is how far a transaction's time may be from
// this host's.
package main

import (
	"errors"
	"fmt"
	"log"
	"os"
	"strconv"
	"time"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"

	"healthtrust/chaincode/ledger"
)

const defaultSkew = 60 * time.Second

func main() {
	server, err := fromEnvironment(os.Getenv)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(server.Start())
}

func fromEnvironment(get func(string) string) (*shim.ChaincodeServer, error) {
	skew, skewErr := skewFrom(get("CHAINCODE_CLOCK_SKEW_SECONDS"))
	tls, tlsErr := tlsFrom(get)
	if err := errors.Join(skewErr, tlsErr); err != nil {
		return nil, err
	}
	return &shim.ChaincodeServer{
		CCID:     get("CORE_CHAINCODE_ID_NAME"),
		Address:  get("CHAINCODE_SERVER_ADDRESS"),
		CC:       &ledger.Chaincode{Clock: time.Now, Skew: skew},
		TLSProps: tls,
	}, nil
}

func skewFrom(text string) (time.Duration, error) {
	if text == "" {
		return defaultSkew, nil
	}
	seconds, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("CHAINCODE_CLOCK_SKEW_SECONDS is no number of seconds: %w", err)
	}
	return time.Duration(seconds) * time.Second, nil
}

func tlsFrom(get func(string) string) (properties shim.TLSProperties, err error) {
	if get("CHAINCODE_TLS_DISABLED") == "true" {
		return shim.TLSProperties{Disabled: true}, nil
	}
	if properties.Key, err = os.ReadFile(get("CHAINCODE_TLS_KEY_FILE")); err != nil {
		return properties, fmt.Errorf("CHAINCODE_TLS_KEY_FILE: %w", err)
	}
	if properties.Cert, err = os.ReadFile(get("CHAINCODE_TLS_CERT_FILE")); err != nil {
		return properties, fmt.Errorf("CHAINCODE_TLS_CERT_FILE: %w", err)
	}
	if path := get("CHAINCODE_CLIENT_CA_FILE"); path != "" {
		if properties.ClientCACerts, err = os.ReadFile(path); err != nil {
			return properties, fmt.Errorf("CHAINCODE_CLIENT_CA_FILE: %w", err)
		}
	}
	return properties, nil
}
