package main

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // the API names MD5 for uploads
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/internal/fakecloud/elffile"
)

// uploadLedger contains the MD5 of each file that was uploaded, by name.
type uploadLedger struct {
	mu   sync.Mutex
	sums map[string]string
}

func (u *uploadLedger) add(name string, content []byte) {
	sum := md5.Sum(content) //nolint:gosec // see above
	u.mu.Lock()
	defer u.mu.Unlock()
	u.sums[name] = hex.EncodeToString(sum[:])
}

// settle compares the files with those that the cloud has.
func (u *uploadLedger) settle(l *ledger, arrived map[string]string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for name, sum := range u.sums {
		if arrived[name] != sum {
			l.broke(promiseUpload, 1, "%s has the MD5 %q instead of %s", name, arrived[name], sum)
		}
	}
}

// upload uploads a file of one of three kinds, with new content, again and again until it
// succeeds.
func (s *soak) upload(ctx context.Context, random *rand.Rand, n int) {
	body := content(random.Uint64(), 1000+random.IntN(300_000))
	version := fmt.Sprintf("1.%d.0", n)
	what, name := "", ""
	var send func(file *memfault.File) (*memfault.UploadResult, error)
	switch n / 2 % 3 {
	case 0:
		what, name = "symbols uploaded", fmt.Sprint("symbols-", n, ".elf")
		id := binary.BigEndian.AppendUint64(body[:12:12], uint64(n)) //nolint:gosec // not negative
		body = append(elffile.File{Sections: []elffile.Section{elffile.BuildID(binary.LittleEndian, id)}}.Bytes(), body...)
		send = func(file *memfault.File) (*memfault.UploadResult, error) {
			return s.client.Uploads.Symbols(ctx, s.project, file, memfault.SymbolsOptions{
				SoftwareType: "main", SoftwareVersion: version, WithoutDebugInfo: true,
			})
		}
	case 1:
		what, name = "payloads uploaded", fmt.Sprint("payload-", n, ".bin")
		send = func(file *memfault.File) (*memfault.UploadResult, error) {
			return s.client.Uploads.OTAPayload(ctx, s.project, file, memfault.OTAPayloadOptions{
				HardwareVersion: "evt-1", SoftwareType: "main", SoftwareVersion: version,
			})
		}
	default:
		what, name = "MAR files uploaded", fmt.Sprint("mar-", n, ".zip")
		copy(body, "PK\x03\x04")
		send = func(file *memfault.File) (*memfault.UploadResult, error) {
			return s.client.Uploads.MAR(ctx, s.project, file, memfault.MAROptions{Device: memfault.DeviceIdentity{
				DeviceSerial: fleetSerial(n % fleet), HardwareVersion: "evt-1", SoftwareType: "main", SoftwareVersion: version,
			}})
		}
	}
	if s.repeat(ctx, what, func() error {
		result, err := send(&memfault.File{Name: name, Size: int64(len(body)), Content: bytes.NewReader(body)})
		if err == nil && result.AlreadyUploaded {
			s.ledger.did("files that had arrived before")
		}
		return err
	}) {
		s.uploads.add(name, body)
	}
}
