module github.com/meshcentral-go/sdk/examples

go 1.26.0

require github.com/meshcentral-go/sdk v0.0.0-00010101000000-000000000000

replace github.com/meshcentral-go/sdk => ../
