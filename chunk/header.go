package chunk

// Header is what the first bytes of a chunk tell, without the other chunks of its message.
type Header struct {
	First  bool // the chunk begins a message
	Last   bool // the chunk ends a message
	Offset int  // the place of the data in the message; 0 for the first chunk
}

// ParseHeader reads the header of a chunk. ok is false if data does not begin as a chunk does.
// It checks nothing else: only an [Assembler] finds damage. A queue that must drop chunks uses it
// to drop whole messages.
func ParseHeader(data []byte) (header Header, ok bool) {
	p, ok := parse(data)
	if !ok {
		return Header{}, false
	}
	return Header{First: !p.continuation, Last: !p.more, Offset: p.offset}, true
}
