package chunk

// crc16 returns the CRC-16 of a message: CCITT, polynomial 0x1021, initial value 0.
func crc16(message []byte) uint16 {
	crc := uint16(0)
	for _, b := range message {
		crc = crc<<8 ^ crcTable[byte(crc>>8)^b]
	}
	return crc
}

// crcTable contains the checksum of each byte.
var crcTable = func() (table [256]uint16) {
	for i := range table {
		crc := uint16(i) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
		table[i] = crc
	}
	return table
}()
