package memfault

import "sync"

// parallel calls do with 0 to n-1, so many at the same time as there are workers,
// and returns when all are done.
func parallel(n, workers int, do func(i int)) {
	next := make(chan int)
	var running sync.WaitGroup
	for range min(max(workers, 1), n) {
		running.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	running.Wait()
}
