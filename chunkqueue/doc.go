// Package chunkqueue is a queue of chunks on disk, for gateways: programs between devices and
// Memfault that have a bad link, a disk and a power switch.
//
//	queue, err := chunkqueue.Open("chunks.db", chunkqueue.Options{MaxBytes: 256 << 20})
//	if err != nil {
//		return err
//	}
//	defer queue.Close()
//	go queue.Run(ctx, client.Chunks)           // delivers until ctx ends
//	err = queue.Add(ctx, "ABCD1234", chunk)    // on the disk when it returns
//
// # Promise
//
// A chunk for which [Queue.Add] returned nil is delivered at least once, or is counted as dropped
// or rejected. The chunks of a device arrive in the order of their Adds; after a crash, some of
// them arrive once more, with those that follow them. This holds if the process is killed, if the
// power fails, if the disk is full, whatever the clock does. A file that is damaged is moved
// aside, and every chunk that can be found in it is queued again. What is lost is named by device,
// or counted; see [Recovery].
//
// # Bounds
//
// The queued chunks are bounded on the disk, in all and for each device; see [Options]. In memory
// is only what is being sent, at most about 32 MiB, and about 300 bytes for each device that has
// queued chunks.
//
// # Delivery
//
// [Queue.Run] delivers with a [memfault.ChunkSender], whose documentation describes the order, the
// batches, outages, pauses, and what is a rejection. Rejected chunks are kept, see
// [Queue.Rejected].
package chunkqueue
