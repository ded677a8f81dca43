//go:build !go1.27 || !goexperiment.jsonv2

package memfault

import "encoding/json"

func unmarshalNew(data []byte, out any) error { return json.Unmarshal(data, out) }
