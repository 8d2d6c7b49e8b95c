package main

import (
	"crypto/ecdsa"
	"sync"

	"github.com/emmansun/gmsm/sm2"
)

// Parsing a key takes a tenth of a verification, and of a signature more than the signature: both kinds stay parsed.
var (
	publicKeys  = parsed[[64]byte, *ecdsa.PublicKey]{parse: parsePublic}
	privateKeys = parsed[[32]byte, *sm2.PrivateKey]{parse: sm2.NewPrivateKey}
)

const keptKeys = 4096

// parsed holds at most keptKeys keys by their bytes; when it is full any of them makes room.
type parsed[B [32]byte | [64]byte, K any] struct {
	parse func([]byte) (K, error)
	lock  sync.RWMutex
	keys  map[B]K
}

func (p *parsed[B, K]) of(name B, raw []byte) (K, error) {
	p.lock.RLock()
	key, known := p.keys[name]
	p.lock.RUnlock()
	if known {
		return key, nil
	}
	key, err := p.parse(raw)
	if err != nil {
		return key, err
	}
	p.lock.Lock()
	defer p.lock.Unlock()
	if p.keys == nil {
		p.keys = make(map[B]K)
	}
	if len(p.keys) >= keptKeys {
		for any := range p.keys {
			delete(p.keys, any)
			break
		}
	}
	p.keys[name] = key
	return key, nil
}

// publicKey parses x‖y; an error for anything but a point of the curve.
func publicKey(raw []byte) (*ecdsa.PublicKey, bool) {
	if len(raw) != 64 {
		return nil, false
	}
	key, err := publicKeys.of([64]byte(raw), raw)
	return key, err == nil
}

// privateKey parses a number in [1, n-2].
func privateKey(raw []byte) (*sm2.PrivateKey, bool) {
	if len(raw) != 32 {
		return nil, false
	}
	key, err := privateKeys.of([32]byte(raw), raw)
	return key, err == nil
}

func parsePublic(raw []byte) (*ecdsa.PublicKey, error) {
	return sm2.NewPublicKey(append([]byte{4}, raw...))
}
