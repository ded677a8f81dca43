// Command nethttp makes the call of onecall with the standard library alone.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
)

func main() {
	const url = "https://api.memfault.com/api/v0/organizations/acme/projects/smart-sink/devices/ABCD1234"
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	req.Header.Set("Authorization", "Bearer "+os.Getenv("MEMFAULT_ORG_TOKEN"))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close() //nolint:errcheck // the body was read
	var body struct {
		Data struct {
			DeviceSerial string `json:"device_serial"`
		} `json:"data"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(body.Data.DeviceSerial)
}
