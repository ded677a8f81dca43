// Package chunk reads the chunks that devices with Memfault's firmware SDK send: it assembles
// them into messages, and decodes events, log lines, recordings and coredumps.
//
// Memfault accepts every chunk and decodes it later. If a gateway cut, exchanged, repeated or
// re-encoded chunks, Memfault drops the message, and the sender does not learn of it. This
// package finds such damage before, or in a test, without a network or an account.
//
//	var assembler chunk.Assembler // one for each device
//	for _, data := range chunks {
//		message, err := assembler.Add(data)
//		if err != nil {
//			log.Print(err) // what was lost, and why; the next Add continues
//		}
//		if message == nil {
//			continue // more chunks follow
//		}
//		if message.Type == chunk.MessageCoredump {
//			coredump, err := message.Coredump()
//			// ...
//		} else {
//			events, err := message.Events()
//			// ...
//		}
//	}
//	err := assembler.Flush() // an error if the chunks end within a message
//
// # Layers
//
// A device splits each message into chunks of the size that its connection can carry. An
// [Assembler] puts them together again, and checks the order, the length and the checksum. A
// [Message] has a type, optionally a project key, and a payload. [Message.Events] decodes the
// payload of events, logs and recordings, and [Message.Coredump] that of coredumps.
//
// # Names
//
// Chunks do not contain the names of metrics, of sessions and of the reasons of traces that the
// firmware defines. They contain numbers. [ReadNames] reads the names from the symbol file of
// the firmware, and [Names.Apply] adds them to events.
//
// # Damage
//
// Each damaged message is a [*DamageError], which describes the kind of damage and its place. A
// message that arrived as the device sent it can have content of another form than expected.
// This is a [*FormatError]; the functions then also return what they could read. Fields, blocks
// and types that the package does not know are kept with their number and value.
//
// # Limits
//
// A message has at most 16 MiB, before and after its decompression, unless
// [Assembler.MaxMessage] is set. The content of a message has at most 2^16 events and 2^20 values
// of CBOR, nested at most 16 levels deep. The debug information of a symbol file has at most 256
// MiB. No input makes the package panic or use memory beyond a small multiple of these limits.
//
// # What is not decoded
//
// The package does not unwind stacks, and does not read variables from coredumps. The archives
// of memfaultd (messages of type [MessageMAR]) and compact logs are kept as they are.
//
// The format is not documented by Memfault; it is known from the firmware SDK 1.43. Messages of
// older versions are read, too: with the checksum in the first chunk, a release version instead
// of the software version, and metrics by name.
package chunk
