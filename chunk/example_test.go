package chunk_test

import (
	"encoding/hex"
	"fmt"
	"log"

	"github.com/memfault-go/memfault/chunk"
)

func Example() {
	chunks := []string{ // in hexadecimal
		"483902a802020301076673696e6b2d310a6773696e6b2d66770965322e302e31",
		"801e06656576742d32011a692c222004a301199400021a0800123405014b97",
	}
	var assembler chunk.Assembler // one for each device
	for _, text := range chunks {
		data, err := hex.DecodeString(text)
		if err != nil {
			log.Fatal(err)
		}
		message, err := assembler.Add(data)
		if err != nil {
			log.Print(err) // damaged; the next Add continues
		}
		if message == nil {
			received, size := assembler.Pending()
			fmt.Printf("%d of %d bytes\n", received, size)
			continue
		}
		fmt.Println(message)
		events, err := message.Events()
		if err != nil {
			log.Print(err)
		}
		for _, event := range events {
			fmt.Println(event.Captured, event.DeviceSerial, event.SoftwareVersion)
			fmt.Println(event)
		}
	}
	// Output:
	// 30 of 57 bytes
	// event message of 56 bytes
	// 2025-11-30 10:53:20 +0000 UTC sink-1 2.0.1
	// reboot HardFault, coredump saved, pc 0x08001234
}

// A gateway that treats chunks as text replaces bytes above 127.
func ExampleDamageError() {
	data, err := hex.DecodeString("0802a6020103010a6773696e6b2d66770965322e302e3106656576742d3204a202000183190e10f61857cffd")
	if err != nil {
		log.Fatal(err)
	}
	text := string([]rune(string(data)))

	var assembler chunk.Assembler
	_, err = assembler.Add([]byte(text))
	for _, damage := range chunk.Damages(err) {
		fmt.Println(damage.Kind)
		fmt.Println(damage.Hint)
	}
	_, err = assembler.Add(data)
	fmt.Println(err)
	// Output:
	// wrong CRC
	// bytes above 127 were replaced by U+FFFD: the chunk was decoded as text
	// <nil>
}

func ExampleMessage_Events() {
	data, err := hex.DecodeString("0803a7020603010a6773696e6b2d66770965322e302e3106656576742d32011a692c222004861a692c221e" +
		"016a76616c7665206f70656e1a692c221f03686e6f2077617465723fb0")
	if err != nil {
		log.Fatal(err)
	}
	var assembler chunk.Assembler
	message, err := assembler.Add(data)
	if err != nil {
		log.Fatal(err)
	}
	events, err := message.Events()
	if err != nil {
		log.Fatal(err)
	}
	for _, event := range events {
		for _, line := range event.Logs {
			fmt.Println(line.Time.Format("15:04:05"), line)
		}
	}
	// Output:
	// 10:53:18 info: valve open
	// 10:53:19 error: no water
}

func ExampleMessage_Coredump() {
	data, err := hex.DecodeString("088109434f524502060003be0414000140860100010a0e00010506000b322e302e31070e000104060001280600" +
		"01050e000104080007940000010c000520000484100001010800071000200d060021737461636b206f66206d61696e44554d50180090e0")
	if err != nil {
		log.Fatal(err)
	}
	var assembler chunk.Assembler
	message, err := assembler.Add(data)
	if err != nil {
		log.Fatal(err)
	}
	coredump, err := message.Coredump()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(chunk.ReasonName(coredump.Reason), coredump.Machine, coredump.SoftwareVersion)
	for _, region := range coredump.Regions {
		fmt.Printf("0x%08x %5d bytes\n", region.Address, len(region.Data))
	}
	// Output:
	// HardFault EM_ARM 2.0.1
	// 0x20000000  1024 bytes
	// 0x20001000    13 bytes
}

// The names of metrics are in the symbol file of the firmware, from which ReadNames reads them.
func ExampleNames_Apply() {
	names := &chunk.Names{Metrics: map[string][]string{"heartbeat": {"uptime_s", "rssi", "battery_percent"}}}

	data, err := hex.DecodeString("0802a6020103010a6773696e6b2d66770965322e302e3106656576742d3204a202000183190e10f61857cffd")
	if err != nil {
		log.Fatal(err)
	}
	var assembler chunk.Assembler
	message, err := assembler.Add(data)
	if err != nil {
		log.Fatal(err)
	}
	events, err := message.Events()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(events[0])
	if err := names.Apply(events); err != nil {
		log.Fatal(err)
	}
	fmt.Println(events[0])
	// Output:
	// metrics of session 0: [0]=3600 [2]=87
	// heartbeat uptime_s=3600 battery_percent=87
}
