package evmtest

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
)

// Faults are all faults there are.
func Faults() []Fault {
	return slices.Concat(wireFaults(), httpFaults(), limitFaults(), sizeFaults(), textFaults(), answerFaults(),
		batchFaults(), errorFaults(), handshakeFaults(), frameFaults(), headFaults(), lies())
}

// Named gives the fault of a name, and panics where there is none: the name is part of a program.
func Named(name string) Fault {
	for _, f := range Faults() {
		if f.Name == name {
			return f
		}
	}
	panic(fmt.Sprintf("evmtest: there is no fault %q", name))
}

// Random gives faults without end, the same ones for the same seed. Each comes equally often: all of them in one order,
// then all of them in another.
func Random(seed uint64) iter.Seq[Fault] {
	return func(yield func(Fault) bool) {
		random, faults := rand.New(newRandom(seed)), Faults()
		for {
			random.Shuffle(len(faults), func(i, j int) { faults[i], faults[j] = faults[j], faults[i] })
			for _, f := range faults {
				if !yield(f) {
					return
				}
			}
		}
	}
}

// overBoth are faults of HTTP and WebSocket alike.
func overBoth(list ...Fault) []Fault {
	for i := range list {
		list[i].HTTP, list[i].WebSocket = true, true
	}
	return list
}

func overHTTP(list ...Fault) []Fault {
	for i := range list {
		list[i].HTTP = true
	}
	return list
}

func overWebSocket(list ...Fault) []Fault {
	for i := range list {
		list[i].WebSocket = true
	}
	return list
}
