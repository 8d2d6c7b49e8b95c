// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Decision} from "../src/libraries/Decision.sol";
import {SM2} from "../src/libraries/SM2.sol";
import {SM3} from "../src/libraries/SM3.sol";
import {Answer, Request, State} from "../src/types/Types.sol";

/// @title Opens the libraries to tests; never deployed in production
contract Harness {
    struct Signature {
        uint256 e;
        uint256 r;
        uint256 s;
        uint256 x;
        uint256 y;
    }

    struct Row {
        State state;
        Request request;
        bytes words;
        bytes32 salt;
        uint64 time;
    }

    function hash(bytes calldata data) external pure returns (bytes32) {
        return SM3.hash(data);
    }

    function hashMany(bytes[] calldata data) external pure returns (bytes32[] memory out) {
        out = new bytes32[](data.length);
        for (uint256 i = 0; i < data.length; ++i) {
            out[i] = SM3.hash(data[i]);
        }
    }

    function verifyMany(Signature[] calldata list) external pure returns (bool[] memory out) {
        out = new bool[](list.length);
        for (uint256 i = 0; i < list.length; ++i) {
            Signature calldata v = list[i];
            out[i] = SM2.verify(v.e, v.r, v.s, v.x, v.y);
        }
    }

    function evaluateMany(Row[] calldata rows) external pure returns (Answer[] memory out) {
        out = new Answer[](rows.length);
        for (uint256 i = 0; i < rows.length; ++i) {
            Row calldata row = rows[i];
            bytes32 opened = _hmac(row.salt, row.words);
            out[i] = Decision.evaluate(row.state, row.request, row.words, opened, row.time);
        }
    }

    /// @dev Gas of one digest and one verification, without the cost of the call.
    function gasOf(bytes calldata data, Signature calldata v) external view returns (uint256 hashing, uint256 verifying) {
        bytes memory copy = data;
        uint256 before = gasleft();
        SM3.hash(copy);
        hashing = before - gasleft();
        before = gasleft();
        SM2.verify(v.e, v.r, v.s, v.x, v.y);
        verifying = before - gasleft();
    }

    function _hmac(bytes32 key, bytes calldata message) private pure returns (bytes32) {
        bytes32 inner = SM3.hash(bytes.concat(key ^ SM3.IPAD, SM3.IPAD, message));
        return SM3.hash(bytes.concat(key ^ SM3.OPAD, SM3.OPAD, inner));
    }
}
