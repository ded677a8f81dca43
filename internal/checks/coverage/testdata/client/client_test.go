package client_test

import "fmt"

func ExampleDevicesService_Get() {
	client.Devices.Get()
	client.Devices.Update()
	fmt.Println("ok")
	// Output: ok
}

func ExampleCohortsService_Ensure() {
	cohorts.Ensure()
	cohorts.Update()
}
