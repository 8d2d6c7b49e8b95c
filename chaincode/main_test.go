package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"healthtrust/chaincode/ledger"
)

func environment(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}

func TestServerFromEnvironment(t *testing.T) {
	folder := t.TempDir()
	files := map[string]string{}
	for _, name := range []string{"CHAINCODE_TLS_KEY_FILE", "CHAINCODE_TLS_CERT_FILE", "CHAINCODE_CLIENT_CA_FILE"} {
		files[name] = filepath.Join(folder, name)
		if err := os.WriteFile(files[name], []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files["CORE_CHAINCODE_ID_NAME"], files["CHAINCODE_SERVER_ADDRESS"] = "healthtrust:00", "127.0.0.1:7052"
	server, err := fromEnvironment(environment(files))
	if err != nil {
		t.Fatal(err)
	}
	if server.CCID != "healthtrust:00" || server.Address != "127.0.0.1:7052" || server.TLSProps.Disabled {
		t.Errorf("%+v", server)
	}
	if string(server.TLSProps.Key) != "CHAINCODE_TLS_KEY_FILE" || string(server.TLSProps.ClientCACerts) != "CHAINCODE_CLIENT_CA_FILE" {
		t.Errorf("%+v", server.TLSProps)
	}
	if served, ours := server.CC.(*ledger.Chaincode); !ours || served.Skew != time.Minute {
		t.Errorf("%+v", server.CC)
	}
}

func TestWhatIsNotSaidIsRefused(t *testing.T) {
	for _, values := range []map[string]string{
		{},
		{"CHAINCODE_TLS_DISABLED": "yes"},
		{"CHAINCODE_TLS_DISABLED": "true", "CHAINCODE_CLOCK_SKEW_SECONDS": "a minute"},
	} {
		if _, err := fromEnvironment(environment(values)); err == nil {
			t.Errorf("accepted %v", values)
		}
	}
	open, err := fromEnvironment(environment(map[string]string{"CHAINCODE_TLS_DISABLED": "true", "CHAINCODE_CLOCK_SKEW_SECONDS": "5"}))
	if err != nil || !open.TLSProps.Disabled {
		t.Errorf("%+v %v", open, err)
	}
}
