module ipfs-cluster-agent/tests/tools/lab

go 1.24

tool (
	ipfs-cluster-agent/tests/tools/lab/fakekubo
	ipfs-cluster-agent/tests/tools/lab/loadgen
	ipfs-cluster-agent/tests/tools/lab/slownet
)
