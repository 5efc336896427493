package evmtest

import "bytes"

// replace gives a block with another value of one of its members. It works on the text, which newBlock has rendered:
// the value is a string and its name occurs once.
func replace(block []byte, name string, value []byte) []byte {
	start, end, found := find(block, name)
	if !found {
		return block
	}
	out := make([]byte, 0, len(block)+len(value))
	out = append(out, block[:start]...)
	out = append(out, value...)
	return append(out, block[end:]...)
}

// remove gives a block without one of its members.
func remove(block []byte, name string) []byte {
	start, end, found := find(block, name)
	if !found {
		return block
	}
	start -= len(name) + len(`"":`)
	if block[start-1] == ',' {
		start--
	} else {
		end++ // The first member takes the comma after it along.
	}
	out := make([]byte, 0, len(block))
	return append(append(out, block[:start]...), block[end:]...)
}

// find gives where the value of a member is.
func find(block []byte, name string) (start, end int, found bool) {
	key := []byte(`"` + name + `":"`)
	i := bytes.Index(block, key)
	if i < 0 {
		return 0, 0, false
	}
	start = i + len(key) - 1
	length := bytes.IndexByte(block[start+1:], '"')
	return start, start + length + 2, length >= 0
}
