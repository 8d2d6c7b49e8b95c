// Command library is gmsm behind C functions, built with -buildmode=c-shared and called by core/crypto/engines/gmsm.py.
//
// Every function gets each buffer with its size, checks the sizes, keeps nothing of a buffer, and answers with a code; a panic is
// a code too, since it would end the process. What the operations mean is said in core/crypto/port.py.
package main

// #include <stddef.h>
// #include <stdint.h>
import "C"

import (
	"runtime"
	"runtime/debug"
	"unsafe"
)

// What a function answers. A function that writes a number of bytes not known beforehand answers with that number.
const (
	done      C.int32_t = 1
	refused   C.int32_t = 0  // the signature does not hold, the cipher does not open
	malformed C.int32_t = -1 // a key is out of range or off the curve, a buffer has another size than it must
	failed    C.int32_t = -2
)

// version changes with the functions: Python does not use a library of another one.
const version C.int32_t = 1

// A Python process has a few threads that call, and little lives here: the heap may grow to some 20 MB between collections,
// which come once in thousands of calls then, and a collection does not take every core of a large machine.
func init() {
	runtime.GOMAXPROCS(min(4, runtime.NumCPU()))
	debug.SetGCPercent(400)
}

func main() {}

// ht_version is the version of these functions.
//
//export ht_version
func ht_version() C.int32_t { return version }

func view(data *C.uint8_t, size C.size_t) []byte { return unsafe.Slice((*byte)(data), int(size)) }

func caught(code *C.int32_t) {
	if recover() != nil {
		*code = failed
	}
}
