package main

import (
	"io"
	"sync"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// bars shows a progress bar for each file on a terminal, and lines for everything else.
type bars struct {
	*plain
	terminal     io.Writer
	sameTerminal bool // whether the lines go to the terminal too

	mu    sync.Mutex
	shown *mpb.Progress // nil while no file is sent
	count int           // bars in shown
}

func (b *bars) event(e event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.shown == nil || !b.sameTerminal {
		b.plain.event(e)
		return
	}
	_, _ = b.shown.Write([]byte(b.line(e))) // above the bars
}

func (b *bars) upload(name string) progress { return &bar{bars: b, name: name} }

// bar is created when the first part of a file is sent: a file that Memfault has gets none.
type bar struct {
	bars  *bars
	name  string
	total int64
	shown *mpb.Bar
}

func (b *bar) sent(sent, total int64) {
	if b.shown == nil {
		b.total, b.shown = total, b.bars.add(b.name)
		b.shown.SetTotal(total, false)
	}
	b.shown.SetCurrent(sent)
}

// add adds a bar that ends only on request, because the last part of a file can be sent again.
func (b *bars) add(name string) *mpb.Bar {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.shown == nil {
		b.shown = mpb.New(mpb.WithOutput(b.terminal), mpb.WithAutoRefresh(), mpb.WithWidth(80))
	}
	b.count++
	return b.shown.New(0, mpb.BarStyle().Lbound("[").Filler("=").Tip(">").Padding(" ").Rbound("]"),
		mpb.PrependDecorators(decor.Name(name, decor.WCSyncSpaceR), decor.CountersKibiByte("% .1f / % .1f", decor.WCSyncWidth)),
		mpb.AppendDecorators(
			decor.Percentage(decor.WCSyncWidth),
			decor.OnAbort(decor.OnComplete(decor.AverageSpeed(decor.SizeB1024(0), " % .1f"), " sent"), " failed"),
		))
}

func (b *bar) end(err error) {
	switch {
	case b.shown == nil:
		return
	case err == nil:
		b.shown.SetTotal(b.total, true)
	default:
		b.shown.Abort(false)
	}
	b.shown.Wait()
	b.bars.remove()
}

// remove leaves the bars as they are as soon as all of them have ended.
func (b *bars) remove() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.count--; b.count == 0 {
		b.shown.Wait()
		b.shown = nil
	}
}
