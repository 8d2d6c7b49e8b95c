// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {SM2} from "../src/libraries/SM2.sol";
import {SM3} from "../src/libraries/SM3.sol";

/// @title Speaks like a chain's SM2 precompile: e ‖ r ‖ s ‖ x ‖ y in, the word 1 or nothing out. For tests.
contract PrecompileSM2 {
    fallback(bytes calldata input) external returns (bytes memory) {
        (uint256 e, uint256 r, uint256 s, uint256 x, uint256 y) =
            abi.decode(input, (uint256, uint256, uint256, uint256, uint256));
        return SM2.verify(e, r, s, x, y) ? abi.encode(uint256(1)) : bytes("");
    }
}

/// @title Speaks like a chain's SM3 precompile: bytes in, digest out. For tests.
contract PrecompileSM3 {
    fallback(bytes calldata input) external returns (bytes memory) {
        return abi.encode(SM3.hash(input));
    }
}
