// Command onecall makes one call with the package. Its size is compared with nethttp's.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/memfault-go/memfault"
)

func main() {
	client, err := memfault.NewClient(memfault.OrganizationToken(os.Getenv("MEMFAULT_ORG_TOKEN")))
	if err != nil {
		fmt.Println(err)
		return
	}
	project := memfault.ProjectRef{Organization: "acme", Project: "smart-sink"}
	device, err := client.Devices.Get(context.Background(), project, "ABCD1234")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(device.DeviceSerial)
}
