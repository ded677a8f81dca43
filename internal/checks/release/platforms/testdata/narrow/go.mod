module example.com/narrow

go 1.26.0
