package lease

import (
	"hash/fnv"
	"slices"
)

// assign decides which member each name belongs to. All processes that know of the same
// members decide the same. No member has more than its share, rounded up, and few names move
// when a member comes or goes.
func assign(names, members []string) map[string]string {
	owner := make(map[string]string, len(names))
	if len(members) == 0 {
		return owner
	}
	share := (len(names) + len(members) - 1) / len(members)
	load := map[string]int{}
	for _, name := range names {
		ranked := slices.Clone(members)
		slices.SortFunc(ranked, func(a, b string) int {
			return compare(weight(b, name), weight(a, name), a, b)
		})
		for _, member := range ranked {
			if load[member] < share {
				owner[name] = member
				load[member]++
				break
			}
		}
	}
	return owner
}

func compare(x, y uint64, a, b string) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	case a < b:
		return -1
	}
	return 1
}

func weight(member, name string) uint64 {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(name + "\x00" + member)) // a hash returns no error
	x := hash.Sum64()
	x ^= x >> 33 // FNV alone spreads the last bytes badly
	x *= 0xff51afd7ed558ccd
	return x ^ x>>33
}
